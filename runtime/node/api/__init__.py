"""The kubelet's HTTPS API of a node, reached only by the API server."""
