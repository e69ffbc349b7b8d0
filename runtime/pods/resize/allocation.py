"""What the node has given to a pod: the resources with which it was admitted or last resized.

The API says what is wanted; until the node has agreed to a change, what it gave before holds. It is kept in
a file beside the pod's other files, so that it survives the agent.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from kubeling.objects.meta import Object

logger = logging.getLogger(__name__)

FILE = "allocation.json"
_LISTS = ("initContainers", "containers")


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A change to which the node has agreed, and that is not wholly in force yet."""

    generation: int
    """The pod's generation that asked for it."""
    pod: Object | None
    """The `resources` of the pod as a whole before."""
    containers: Mapping[str, Object]
    """The `resources` that are still in force, by the names of the containers that must follow."""
    followed: bool = False
    """Whether the pod's own cgroup has followed, and whatever needs no restart."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """The `resources` of the pod as a whole, and of its containers by name."""

    pod: Object | None
    containers: Mapping[str, Object]
    under_way: UnderWay | None = field(default=None, compare=False)


def of(pod: Object) -> Allocation:
    """What the pod asks for."""
    spec = pod.get("spec") or {}
    containers = {
        each["name"]: each.get("resources") or {} for kind in _LISTS for each in spec.get(kind) or []
    }
    return Allocation(spec.get("resources"), containers)


def applied(pod: Object, allocation: Allocation | None) -> Object:
    """The pod with what it was given in the place of what it asks for; itself where that is the same."""
    if allocation is None or of(pod) == allocation:
        return pod
    spec = {key: value for key, value in pod["spec"].items() if key != "resources"}
    if allocation.pod is not None:
        spec["resources"] = allocation.pod
    for kind in _LISTS:
        if kind in spec:
            spec[kind] = [_given(each, allocation) for each in spec[kind]]
    return {**pod, "spec": spec}


def in_force(pod: Object, allocation: Allocation | None) -> Object:
    """The pod with the resources that its cgroups have now."""
    if allocation is None or allocation.under_way is None:
        return applied(pod, allocation)
    before = allocation.under_way
    return applied(pod, Allocation(before.pod, {**allocation.containers, **before.containers}))


def _given(container: Object, allocation: Allocation) -> Object:
    resources = allocation.containers.get(container["name"])
    return container if resources is None else {**container, "resources": resources}


def save(directory: Path, allocation: Allocation) -> None:
    """Keep it in the pod's directory. What cannot be written is logged: the pod goes on."""
    new = directory / f".{FILE}"
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        new.write_text(json.dumps(asdict(allocation), separators=(",", ":")))
        new.replace(directory / FILE)
    except OSError as error:
        logger.warning("what the pod was given cannot be kept in %s: %s", directory, error)


def load(directory: Path) -> Allocation | None:
    """None where nothing is kept, or nothing that can be read."""
    try:
        document = json.loads((directory / FILE).read_text())
        under_way = document.pop("under_way")
        return Allocation(**document, under_way=UnderWay(**under_way) if under_way else None)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        logger.warning("what the pod was given cannot be read from %s: %s", directory, error)
        return None
