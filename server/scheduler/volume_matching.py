"""Finds volumes for claims that wait for their pod's node, or says that one can be made there."""

from collections.abc import Collection, Iterable
from decimal import Decimal

from kubeling.objects import meta, quantity
from kubeling.objects.labels import SelectorError, from_label_selector
from kubeling.objects.meta import Object
from kubeling.objects.volume_claims import capacity, class_of, is_for, requested, suffices
from server.scheduler.framework import Lister
from server.scheduler.node_state import NodeState
from server.scheduler.pod_claims import is_reachable

NO_PROVISIONER = "kubernetes.io/no-provisioner"


def matching_volume(
    claim: Object, volumes: Iterable[Object], node: NodeState, *, taken: Collection[str]
) -> Object | None:
    """The smallest volume that is free, suits the claim, and can be used on the node; what was set aside for
    the claim comes first."""
    best: tuple[Decimal, str] | None = None
    chosen = None
    for volume in volumes:
        if meta.name(volume) in taken or not _suits(claim, volume) or not is_reachable(volume, node):
            continue
        if is_for(volume, claim):
            return volume
        size = capacity(volume)
        if _is_free(volume) and (best is None or (size, meta.name(volume)) < best):
            best, chosen = (size, meta.name(volume)), volume
    return chosen


def _suits(claim: Object, volume: Object) -> bool:
    same_class = class_of(claim) == class_of(volume)
    return same_class and suffices(volume, claim) and _is_selected(claim["spec"].get("selector"), volume)


def _is_selected(selector: Object | None, volume: Object) -> bool:
    if selector is None:
        return True
    try:
        return from_label_selector(selector).matches(meta.labels(volume))
    except SelectorError:
        return False


def _is_free(volume: Object) -> bool:
    phase = (volume.get("status") or {}).get("phase") or "Available"
    return not volume["spec"].get("claimRef") and phase == "Available"


def is_provisionable(storage_class: Object | None, node: NodeState) -> bool:
    """Whether volumes of the class can be made, and used on the node."""
    if storage_class is None or storage_class.get("provisioner") in (None, "", NO_PROVISIONER):
        return False
    topologies = storage_class.get("allowedTopologies")
    return not topologies or any(_in_topology(each, node) for each in topologies)


def _in_topology(term: Object, node: NodeState) -> bool:
    return all(
        node.labels.get(each["key"]) in (each.get("values") or ())
        for each in term.get("matchLabelExpressions") or ()
    )


def has_capacity(
    claim: Object, storage_class: Object, node: NodeState, *, drivers: Lister, capacities: Lister
) -> bool:
    """Whether the class' driver, if it keeps account of that, has room enough at the node."""
    driver = drivers.get("", storage_class["provisioner"])
    if driver is None or not (driver.get("spec") or {}).get("storageCapacity"):
        return True
    wanted = requested(claim)
    return any(
        each.get("storageClassName") == meta.name(storage_class)
        and _is_enough(each, wanted)
        and _covers(each, node)
        for each in capacities.list()
    )


def _is_enough(offered: Object, wanted: Decimal) -> bool:
    limit = offered.get("maximumVolumeSize") or offered.get("capacity")
    return limit is not None and quantity.parse(limit) >= wanted


def _covers(offered: Object, node: NodeState) -> bool:
    topology = offered.get("nodeTopology")
    try:
        return topology is not None and from_label_selector(topology).matches(node.labels)
    except SelectorError:
        return False
