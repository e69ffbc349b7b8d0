"""Byte streams that both processes pass on: exec, attach and port-forward on their way from client to container."""
