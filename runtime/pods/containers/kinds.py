"""The three lists in which a pod's spec has containers, and what tells them apart. Pure."""

from kubeling.objects.meta import Object

INIT, MAIN, EPHEMERAL = "initContainers", "containers", "ephemeralContainers"
STATUSES = {
    INIT: "initContainerStatuses",
    MAIN: "containerStatuses",
    EPHEMERAL: "ephemeralContainerStatuses",
}


def containers_of(pod: Object, *kinds: str) -> list[Object]:
    """The specs in these lists; all, without a kind."""
    spec = pod.get("spec") or {}
    return [each for kind in kinds or STATUSES for each in spec.get(kind) or []]


def kind_of(pod: Object, name: str) -> str:
    """The list that has the container; MAIN for one that is in none any more."""
    spec = pod.get("spec") or {}
    for kind in (INIT, EPHEMERAL):
        if any(each["name"] == name for each in spec.get(kind) or []):
            return kind
    return MAIN


def is_sidecar(container: Object) -> bool:
    """Of an init container: whether it goes on running beside the others."""
    return container.get("restartPolicy") == "Always"


def sidecars(pod: Object) -> list[Object]:
    return [each for each in containers_of(pod, INIT) if is_sidecar(each)]


def statuses_of(status: Object) -> list[Object]:
    """The container statuses in a pod's status, of all kinds."""
    return [each for field in STATUSES.values() for each in status.get(field) or []]
