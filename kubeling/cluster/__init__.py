"""Starts and stops the processes of a cluster on this machine; certificates; configuration; kubeconfig.

Not here: what the processes do (`server` and `runtime`, never imported) and what the command prints.
"""
