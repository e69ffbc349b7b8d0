"""The kinds of the policy group."""

from server.registry.groups.plain import Generational
from server.registry.groups.subresources import status
from server.registry.kind import Kind

KINDS = (
    Kind(
        "policy",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        Generational(),
        short_names=("pdb",),
        subresources=status("PodDisruptionBudget"),
    ),
)
