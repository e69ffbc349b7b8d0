"""Decisions of the scheduler's plug-ins about nodes and pods that a test names, without a server."""

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from kubeling.client.fake import FakeClient
from kubeling.client.protocol import Handler
from kubeling.objects import meta
from kubeling.objects.clock import Clock, FakeClock
from kubeling.objects.meta import Object
from server.scheduler.cluster_state import ClusterState
from server.scheduler.configuration import parse, standard
from server.scheduler.cycle import Cycle, best
from server.scheduler.framework import ClusterEvent
from server.scheduler.handles import Handles
from server.scheduler.nominations import Nominations
from server.scheduler.plugins.default_preemption import Candidate, DefaultPreemption
from server.scheduler.pod_info import PodInfo
from server.scheduler.pod_selectors import PodSelectors
from server.scheduler.profiles import made_profiles

Found = TypeVar("Found")


def node(
    name: str = "n",
    *,
    cpu: str = "2",
    memory: str = "4Gi",
    pods: str = "110",
    labels: Mapping[str, str] | None = None,
    spec: Object | None = None,
    images: Sequence[Object] = (),
    extended: Mapping[str, str] | None = None,
) -> Object:
    offers = {"cpu": cpu, "memory": memory, "pods": pods, **(extended or {})}
    return {
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": spec or {},
        "status": {"allocatable": offers, "images": [*images]},
    }


def zoned(name: str, zone: str, **more: Any) -> Object:
    return node(name, labels={"topology.kubernetes.io/zone": zone}, **more)


def container(cpu: str = "", memory: str = "", **more: Any) -> Object:
    requests = {name: text for name, text in (("cpu", cpu), ("memory", memory)) if text}
    return {"name": "c", "resources": {"requests": requests}, **more}


def pod(*containers: Object, name: str = "p", labels: Mapping[str, str] | None = None, **spec: Any) -> Object:
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "ns", "uid": f"uid-{name}", "labels": labels or {}},
        "spec": {"containers": [*containers] or [container()], **spec},
    }


class FixedInformer:
    """What there is from the beginning."""

    synced = True

    def __init__(self, kind: str, objects: Sequence[Object]) -> None:
        self._objects = {(meta.namespace(obj), meta.name(obj)): obj for obj in objects if obj["kind"] == kind}

    async def wait_synced(self) -> None: ...

    def get(self, namespace: str, name: str) -> Object | None:
        return self._objects.get((namespace, name))

    def list(self, namespace: str | None = None) -> list[Object]:
        return [obj for (space, _), obj in self._objects.items() if namespace in (None, space)]

    def add_handler(self, handler: Handler) -> None:
        for obj in self._objects.values():
            handler("ADDED", obj, None)

    def remove_handler(self, handler: Handler) -> None: ...


class Decisions:
    """A cluster of the objects given: nodes, pods - with a nodeName they are there - and all others."""

    def __init__(
        self, *objects: Object, configuration: Object | None = None, clock: Clock | None = None
    ) -> None:
        self.clock = clock or FakeClock()
        self.cluster = ClusterState()
        self.nominations = Nominations()
        handles = _handles(objects, self.clock)
        self.profiles = made_profiles(parse(configuration) if configuration else standard(), handles)
        for obj in objects:
            self.put(obj)

    def put(self, obj: Object) -> None:
        if obj["kind"] == "Node":
            self.cluster.put_node(obj)
        elif obj["kind"] == "Pod":
            self.cluster.put_pod(obj)
        elif obj["kind"] == "Namespace":
            self.cluster.put_namespace(obj)

    def place(self, pod: Object, on: str) -> None:
        self.put({**pod, "spec": {**pod["spec"], "nodeName": on}})

    def nominate(self, pod: Object, node: str) -> None:
        self.nominations.put(PodInfo(pod), node)

    def cycle(self, pod: Object, scheduler: str = "default-scheduler") -> Cycle:
        return Cycle(self.profiles[scheduler], PodInfo(pod), self.cluster, self.nominations)

    def feasible(self, pod: Object) -> set[str]:
        return {node.name for node in self.cycle(pod).feasible(0)}

    def chosen(self, pod: Object, scheduler: str = "default-scheduler") -> str:
        cycle = self.cycle(pod, scheduler)
        nodes = cycle.feasible(0)
        assert nodes, cycle.diagnosis.message()
        return best(nodes, cycle.scores(nodes)).name

    def scores(self, pod: Object, plugin: str) -> dict[str, int]:
        """What one plug-in says, normalized."""
        cycle = self.cycle(pod)
        profile, nodes = cycle.profile, cycle.feasible(0)
        (found,) = [each for _, each in profile.scores if each.name == plugin]
        points = found.compare(cycle.pod, self.cluster, nodes)
        scoring = found.pre_score(cycle.pod, self.cluster)
        if scoring is not None:
            points = [scoring.score(node) for node in nodes]
            points = scoring.normalize(points) if scoring.normalize else points
        if points is None:
            return {}
        return dict(zip([node.name for node in nodes], points, strict=True))

    def refusal(self, pod: Object) -> str:
        """Why there is no node, with what preemption says of it."""
        cycle = self.cycle(pod)
        assert cycle.feasible(0) == []
        preemption, diagnosis = self._preemption(cycle), cycle.diagnosis
        diagnosis.preemption = preemption.ineligible(cycle) or _done(preemption.candidates(cycle))[1]
        return diagnosis.message()

    def preempted(self, pod: Object) -> Candidate | None:
        cycle = self.cycle(pod)
        assert cycle.feasible(0) == []
        preemption = self._preemption(cycle)
        candidates, _ = _done(preemption.candidates(cycle))
        return preemption.best(candidates) if candidates else None

    def wakes(self, pod: Object, plugin: str, event: ClusterEvent) -> bool:
        """Whether an event may let a pod fit that the plug-in rejected."""
        return any(
            name == plugin
            and bool(event.action & wake.actions)
            and (not wake.hint or wake.hint(PodInfo(pod), event))
            for name, wake in self.profiles["default-scheduler"].wakes.get(event.resource, ())
        )

    def _preemption(self, cycle: Cycle) -> DefaultPreemption:
        assert cycle.profile.preemption is not None
        return cycle.profile.preemption


def _done(work: Coroutine[Any, Any, Found]) -> Found:
    """The result of work that pauses, but waits for nothing."""
    while True:
        try:
            work.send(None)
        except StopIteration as end:
            result: Found = end.value
            return result


def _handles(objects: Sequence[Object], clock: Clock) -> Handles:
    def of(kind: str) -> FixedInformer:
        return FixedInformer(kind, objects)

    return Handles(
        FakeClient(),
        clock,
        PodSelectors(of("Service"), of("ReplicationController"), of("ReplicaSet"), of("StatefulSet")),
        claims=of("PersistentVolumeClaim"),
        volumes=of("PersistentVolume"),
        classes=of("StorageClass"),
        csi_nodes=of("CSINode"),
        csi_drivers=of("CSIDriver"),
        capacities=of("CSIStorageCapacity"),
        attachments=of("VolumeAttachment"),
        budgets=of("PodDisruptionBudget"),
    )
