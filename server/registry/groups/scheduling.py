"""The kinds of scheduling.k8s.io."""

from server.registry.groups.plain import Generational
from server.registry.kind import Kind

KINDS = (
    Kind(
        "scheduling.k8s.io",
        "PriorityClass",
        "priorityclasses",
        Generational(),
        namespaced=False,
        short_names=("pc",),
    ),
)
