"""Claims: those that are bound tie their pod to nodes; those that wait for their pod are bound once it
has one."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kubeling.client import Client
from kubeling.client.resources import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES
from kubeling.objects import meta
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks
from kubeling.objects.volume_claims import BOUND_BY_CONTROLLER, SELECTED_NODE, class_of, reference_to
from server.scheduler.cluster_state import ClusterState
from server.scheduler.framework import (
    Action,
    ClusterEvent,
    Filtering,
    Plugin,
    PreBindError,
    Rejection,
    Resources,
    Wake,
)
from server.scheduler.handles import Handles
from server.scheduler.node_state import NodeState
from server.scheduler.pod_claims import (
    Claims,
    is_bound,
    is_reachable,
    problem,
    sorted_claims,
    uses_claim,
)
from server.scheduler.pod_info import PodInfo
from server.scheduler.volume_matching import has_capacity, is_provisionable, matching_volume

NAME = "VolumeBinding"
TIMEOUT = 600.0
_UNBOUND = Rejection(NAME, ("pod has unbound immediate PersistentVolumeClaims",))
_ELSEWHERE = "node(s) didn't match PersistentVolume's node affinity"
_GONE = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
_NONE = "node(s) didn't find available persistent volumes to bind"
_NO_ROOM = "node(s) did not have enough free storage"


@dataclass(slots=True)
class Plan:
    """What has to be done for a pod's claims when it goes to one node."""

    volumes: list[tuple[Object, Object]] = field(default_factory=list)
    """A claim, and the volume that is there for it."""
    provisions: list[Object] = field(default_factory=list)
    """Claims for which volumes are made."""

    @property
    def claims(self) -> list[Object]:
        return [*(claim for claim, _ in self.volumes), *self.provisions]


class VolumeBinding(Plugin):
    name = NAME
    points = frozenset({"preFilter", "filter", "reserve", "preBind"})

    def __init__(self, args: Mapping[str, Any], handles: Handles) -> None:
        self._timeout = float(args.get("bindTimeoutSeconds", TIMEOUT))
        self._handles = handles
        self._plans: dict[str, Plan] = {}
        """By the key of the pod that is on its way."""
        self._taken: dict[str, str] = {}
        """The pod for whose claim each volume is set aside."""

    def pre_filter(self, pod: PodInfo, cluster: ClusterState) -> Filtering:
        if not pod.claims:
            return None
        if why := problem(pod, self._handles.claims):
            return Rejection(NAME, (why,))
        claims = sorted_claims(pod, self._handles.claims, self._handles.classes)
        if claims.immediate:
            return _UNBOUND

        def usable(node: NodeState) -> Rejection | None:
            reasons = (*self._bound_problems(claims, node), *self._waiting_problems(claims, node))
            return Rejection(NAME, tuple(dict.fromkeys(reasons))) if reasons else None

        return usable

    def _bound_problems(self, claims: Claims, node: NodeState) -> Sequence[str]:
        for claim in claims.bound:
            volume = self._handles.volumes.get("", claim["spec"]["volumeName"])
            if volume is None:
                return (_GONE,)
            if not is_reachable(volume, node):
                return (_ELSEWHERE,)
        return ()

    def _waiting_problems(self, claims: Claims, node: NodeState) -> Sequence[str]:
        plan = self._plan(claims.waiting, node) if claims.waiting else Plan()
        return (plan,) if isinstance(plan, str) else ()

    def _plan(self, claims: Sequence[Object], node: NodeState) -> Plan | str:
        """What to do for the claims at the node; or why nothing can be done."""
        plan, taken = Plan(), set(self._taken)
        volumes = self._handles.volumes.list()
        for claim in claims:
            selected = meta.annotations(claim).get(SELECTED_NODE)
            if selected is not None and selected != node.name:
                return _NONE
            volume = matching_volume(claim, volumes, node, taken=taken) if selected is None else None
            if volume is not None:
                taken.add(meta.name(volume))
                plan.volumes.append((claim, volume))
            elif why := self._unprovisionable(claim, node):
                return why
            else:
                plan.provisions.append(claim)
        return plan

    def _unprovisionable(self, claim: Object, node: NodeState) -> str:
        handles = self._handles
        storage_class = handles.classes.get("", class_of(claim))
        if storage_class is None or not is_provisionable(storage_class, node):
            return _NONE
        enough = has_capacity(
            claim, storage_class, node, drivers=handles.csi_drivers, capacities=handles.capacities
        )
        return "" if enough else _NO_ROOM

    def reserve(self, pod: PodInfo, node: NodeState) -> Rejection | None:
        if not pod.claims:
            return None
        claims = sorted_claims(pod, self._handles.claims, self._handles.classes)
        plan = self._plan(claims.waiting, node) if claims.waiting else Plan()
        if isinstance(plan, str):
            return Rejection(NAME, (plan,))
        if plan.claims:
            self._plans[pod.key] = plan
            self._taken |= {meta.name(volume): pod.key for _, volume in plan.volumes}
        return None

    def unreserve(self, pod: PodInfo) -> None:
        if self._plans.pop(pod.key, None) is not None:
            self._taken = {volume: key for volume, key in self._taken.items() if key != pod.key}

    def needs_pre_bind(self, pod: PodInfo) -> bool:
        return pod.key in self._plans

    async def pre_bind(self, pod: PodInfo, node: str) -> None:
        plan = self._plans[pod.key]
        client = self._handles.client
        for claim, volume in plan.volumes:
            await _set_aside(client, volume, claim)
        for claim in plan.provisions:
            await _select_node(client, claim, node)
        await self._bound(plan, node)
        self.unreserve(pod)

    async def _bound(self, plan: Plan, node: str) -> None:
        """Wait until the claims are bound by whoever binds and makes volumes.

        Raises:
            PreBindError: that takes too long, or cannot be any more.
        """
        changed = asyncio.Event()

        def notice(kind: str, claim: Object, old: Object | None) -> None:
            changed.set()

        self._handles.claims.add_handler(notice)
        try:
            await self._until_bound(plan, node, changed)
        finally:
            self._handles.claims.remove_handler(notice)

    async def _until_bound(self, plan: Plan, node: str, changed: asyncio.Event) -> None:
        async with Tasks("volume-binding") as tasks:
            patience = tasks.start(self._handles.clock.sleep(self._timeout), name="patience")
            while not self._are_bound(plan, node):
                changed.clear()
                news = tasks.start(changed.wait(), name="news")
                await asyncio.wait((patience, news), return_when=asyncio.FIRST_COMPLETED)
                if patience.done():
                    raise PreBindError("binding volumes: context deadline exceeded")

    def _are_bound(self, plan: Plan, node: str) -> bool:
        for claim in plan.claims:
            current = self._handles.claims.get(meta.namespace(claim), meta.name(claim))
            if current is None or meta.is_terminating(current):
                raise PreBindError(f'binding volumes: persistentvolumeclaim "{meta.name(claim)}" not found')
            if is_bound(current):
                continue
            provisioned = claim in plan.provisions
            if provisioned and meta.annotations(current).get(SELECTED_NODE) != node:
                key = f"{meta.namespace(claim)}/{meta.name(claim)}"
                raise PreBindError(f'binding volumes: provisioning failed for PVC "{key}"')
            return False
        return True

    def wakes(self) -> Sequence[Wake]:
        new_or_changed = Action.ADD | Action.UPDATE
        return (
            Wake(Resources.STORAGE_CLASS, new_or_changed),
            Wake(Resources.CLAIM, new_or_changed, lambda pod, event: uses_claim(pod, event.object)),
            Wake(Resources.VOLUME, new_or_changed),
            Wake(Resources.NODE, Action.ADD | Action.LABELS),
            Wake(Resources.CSI_NODE, Action.ADD),
            Wake(Resources.CSI_DRIVER, Action.UPDATE),
            Wake(Resources.CAPACITY, new_or_changed, _has_grown),
        )


def _has_grown(pod: PodInfo, event: ClusterEvent) -> bool:
    return event.old is None or any(
        event.object.get(name) != event.old.get(name) for name in ("capacity", "maximumVolumeSize")
    )


async def _set_aside(client: Client, volume: Object, claim: Object) -> None:
    reference = volume["spec"].get("claimRef") or {}
    if reference.get("uid") == meta.uid(claim):
        return
    patch: Object = {
        "metadata": {"resourceVersion": meta.resource_version(volume)},
        "spec": {"claimRef": reference_to(claim)},
    }
    if not reference:
        patch["metadata"]["annotations"] = {BOUND_BY_CONTROLLER: "yes"}
    await client.patch(PERSISTENT_VOLUMES, meta.name(volume), patch)


async def _select_node(client: Client, claim: Object, node: str) -> None:
    if meta.annotations(claim).get(SELECTED_NODE) == node:
        return
    patch = {
        "metadata": {
            "resourceVersion": meta.resource_version(claim),
            "annotations": {SELECTED_NODE: node},
        }
    }
    await client.patch(PERSISTENT_VOLUME_CLAIMS, meta.name(claim), patch, namespace=meta.namespace(claim))
