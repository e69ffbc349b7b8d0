"""The end of namespaces: what is in them is deleted, what is left is told, then they go."""

from server.controllers.namespace.lifecycle import make

__all__ = ["make"]
