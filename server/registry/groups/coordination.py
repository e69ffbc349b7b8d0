"""The kinds of coordination.k8s.io."""

from server.registry.groups.plain import CreatedByUpdate
from server.registry.kind import Kind

KINDS = (Kind("coordination.k8s.io", "Lease", "leases", CreatedByUpdate()),)
