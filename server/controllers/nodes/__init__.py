"""The controllers of nodes: their addresses, their health, what becomes of the pods on those that fail."""
