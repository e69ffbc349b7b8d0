"""A pod as the scheduler sees it: read once, then asked many times."""

from collections.abc import Iterator, Mapping
from functools import cached_property

import orjson

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.scheduler.demand import Demand, demand
from server.scheduler.pod_terms import Affinity, affinity_of

DEFAULT_SCHEDULER = "default-scheduler"


class PodInfo:
    def __init__(self, pod: Object) -> None:
        self.pod = pod
        self.key = meta.key(pod)
        self.uid = meta.uid(pod)
        self.name = meta.name(pod)
        self.namespace = meta.namespace(pod)
        self.labels: Mapping[str, str] = meta.labels(pod)
        self.spec: Object = pod.get("spec") or {}
        self.priority = int(self.spec.get("priority") or 0)
        self.terminating = meta.is_terminating(pod)

    @cached_property
    def demand(self) -> Demand:
        return demand(self.pod)

    @cached_property
    def affinity(self) -> Affinity:
        return affinity_of(self.spec, self.namespace)

    @cached_property
    def claims(self) -> tuple[tuple[str, bool], ...]:
        """The names of the claims that it uses, and whether each is made for this pod alone."""
        found = []
        for volume in self.spec.get("volumes") or ():
            if "persistentVolumeClaim" in volume:
                found.append((volume["persistentVolumeClaim"]["claimName"], False))
            elif "ephemeral" in volume:
                found.append((f"{self.name}-{volume['name']}", True))
        return tuple(found)

    @cached_property
    def disks(self) -> tuple[tuple[str, str, bool], ...]:
        """The disks that cannot be shared: what kind, which one, and whether it is only read."""
        return tuple(_disks(self.spec))

    @cached_property
    def signature(self) -> bytes:
        """Equal for pods which no local plug-in can tell apart."""
        spec = self.spec
        parts = (
            spec.get("nodeName"),
            spec.get("nodeSelector"),
            (spec.get("affinity") or {}).get("nodeAffinity"),
            spec.get("tolerations"),
            spec.get("overhead"),
            spec.get("resources"),
            [_container(each) for each in spec.get("containers") or ()],
            [_container(each) for each in spec.get("initContainers") or ()],
        )
        return orjson.dumps(parts)

    @property
    def nominated_node(self) -> str:
        return str((self.pod.get("status") or {}).get("nominatedNodeName") or "")


def _container(container: Object) -> tuple[object, ...]:
    return (
        container.get("image"),
        (container.get("resources") or {}).get("requests"),
        container.get("ports"),
        container.get("restartPolicy"),
    )


def _disks(spec: Object) -> Iterator[tuple[str, str, bool]]:
    for volume in spec.get("volumes") or ():
        if disk := volume.get("gcePersistentDisk"):
            yield "gce", disk["pdName"], bool(disk.get("readOnly"))
        elif disk := volume.get("awsElasticBlockStore"):
            yield "aws", disk["volumeID"], False
        elif disk := volume.get("rbd"):
            image = f"{disk.get('pool') or 'rbd'}/{disk['image']}"
            for monitor in disk.get("monitors") or ():
                yield "rbd", f"{monitor}/{image}", bool(disk.get("readOnly"))
        elif disk := volume.get("iscsi"):
            yield "iscsi", disk["iqn"], bool(disk.get("readOnly"))


def node_of(pod: Object) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")


def is_finished(pod: Object) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def scheduler_of(pod: Object) -> str:
    return str((pod.get("spec") or {}).get("schedulerName") or DEFAULT_SCHEDULER)
