"""The conditions of a namespace that is being deleted: what is left in it, and why. Pure functions.

As upstream all five are there from the first round on; True means trouble.
"""

from datetime import datetime

from kubeling.objects import conditions
from kubeling.objects.meta import Object
from server.controllers.namespace_content import Remains

SATISFIED = {
    "NamespaceDeletionDiscoveryFailure": ("ResourcesDiscovered", "All resources successfully discovered"),
    "NamespaceDeletionGroupVersionParsingFailure": (
        "ParsedGroupVersions",
        "All legacy kube types successfully parsed",
    ),
    "NamespaceDeletionContentFailure": (
        "ContentDeleted",
        "All content successfully deleted, may be waiting on finalization",
    ),
    "NamespaceContentRemaining": ("ContentRemoved", "All content successfully removed"),
    "NamespaceFinalizersRemaining": (
        "ContentHasNoFinalizers",
        "All content-preserving finalizers finished",
    ),
}


def set_conditions(namespace: Object, remains: Remains, *, discovery_error: str = "", now: datetime) -> bool:
    """Set all five in the object's status; says whether anything changed."""
    wrong = _wrong(remains, discovery_error)
    changed = False
    for kind, (reason, message) in SATISFIED.items():
        if kind in wrong:
            reason, message = wrong[kind]
        status = "True" if kind in wrong else "False"
        changed |= conditions.set_condition(namespace, kind, status, reason=reason, message=message, now=now)
    return changed


def _wrong(remains: Remains, discovery_error: str) -> dict[str, tuple[str, str]]:
    wrong: dict[str, tuple[str, str]] = {}
    if discovery_error:
        text = f"Discovery failed for some groups, 1 failing: {discovery_error}"
        wrong["NamespaceDeletionDiscoveryFailure"] = ("DiscoveryFailed", text)
    if remains.failures:
        text = f"Failed to delete all resource types, {len(remains.failures)} remaining: "
        text += ", ".join(sorted(remains.failures))
        wrong["NamespaceDeletionContentFailure"] = ("ContentDeletionFailed", text)
    if remains.resources:
        counts = (
            f"{name} has {count} resource instances" for name, count in sorted(remains.resources.items())
        )
        text = f"Some resources are remaining: {', '.join(counts)}"
        wrong["NamespaceContentRemaining"] = ("SomeResourcesRemain", text)
    if remains.finalizers:
        counts = (
            f"{name} in {count} resource instances" for name, count in sorted(remains.finalizers.items())
        )
        text = f"Some content in the namespace has finalizers remaining: {', '.join(counts)}"
        wrong["NamespaceFinalizersRemaining"] = ("SomeFinalizersRemain", text)
    return wrong
