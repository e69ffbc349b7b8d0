"""Byte streams that both processes pass on: exec, attach and port-forward between client and container."""
