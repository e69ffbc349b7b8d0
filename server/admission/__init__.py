"""Admission control: what changes or refuses a write that is authorized, before it is validated and stored.

`chain` runs the plug-ins; each of the other modules is one, named as Kubernetes names it.
"""
