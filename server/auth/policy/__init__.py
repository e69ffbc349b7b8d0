"""Kubernetes' default roles and bindings, as tables, and the reconciliation of what is stored with them.

Imported once, when the server has started listening; nothing on the way of a request needs it.
"""
