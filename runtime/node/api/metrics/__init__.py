"""The kubelet's pages of metrics. prometheus-client, which writes them, is imported with the first page."""
