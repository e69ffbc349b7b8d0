"""The kinds of discovery.k8s.io."""

from server.registry.groups.plain import Generational
from server.registry.kind import Kind

KINDS = (Kind("discovery.k8s.io", "EndpointSlice", "endpointslices", Generational()),)
