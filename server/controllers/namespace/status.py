"""The conditions of a namespace that is being deleted: what is left in it, and why. Pure functions.

As upstream all five are there from the first round on; True means trouble.
"""

from collections.abc import Mapping
from datetime import datetime

from kubeling.objects import conditions
from kubeling.objects.meta import Object
from server.controllers.namespace.content import Remains

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


def discovery_text(failures: Mapping[str, str]) -> str:
    """What is to be said of groups that could not be discovered; nothing when all could."""
    if not failures:
        return ""
    each = ", ".join(f"{place}: {why}" for place, why in sorted(failures.items()))
    complete = f"unable to retrieve the complete list of server APIs: {each}"
    return f"Discovery failed for some groups, {len(failures)} failing: {complete}"


def _wrong(remains: Remains, discovery_error: str) -> dict[str, tuple[str, str]]:
    wrong: dict[str, tuple[str, str]] = {}
    if discovery_error:
        wrong["NamespaceDeletionDiscoveryFailure"] = ("DiscoveryFailed", discovery_error)
    if remains.failures:
        text = f"Failed to delete all resource types, {len(remains.failures)} remaining: "
        text += ", ".join(sorted(remains.failures))
        wrong["NamespaceDeletionContentFailure"] = ("ContentDeletionFailed", text)
    if remains.objects:
        counts = sorted(
            f"{each.plural}.{each.group} has {len(left)} resource instances"
            for each, left in remains.objects.items()
        )
        text = f"Some resources are remaining: {', '.join(counts)}"
        wrong["NamespaceContentRemaining"] = ("SomeResourcesRemain", text)
    if remains.finalizers:
        counts = sorted(f"{name} in {count} resource instances" for name, count in remains.finalizers.items())
        text = f"Some content in the namespace has finalizers remaining: {', '.join(counts)}"
        wrong["NamespaceFinalizersRemaining"] = ("SomeFinalizersRemain", text)
    return wrong
