"""The kinds of node.k8s.io."""

from server.registry.kind import Kind
from server.registry.strategy import Strategy

KINDS = (Kind("node.k8s.io", "RuntimeClass", "runtimeclasses", Strategy(), namespaced=False),)
