"""What is kept from decision to decision is what would be found anew."""

import random
from typing import Any

import pytest

from kubeling.objects.meta import Object
from server.tests.decisions import Decisions, container, node, pod

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
SERVICE = {
    "kind": "Service",
    "metadata": {"name": "s", "namespace": "ns"},
    "spec": {"selector": {"app": "a"}},
}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
STEPS = 40


class World:
    """The objects that there are, and a Decisions that is told of each change."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.objects: dict[str, Object] = {}
        self.kept = Decisions(SERVICE)
        self.made = 0

    def put(self, obj: Object) -> None:
        self.objects[f"{obj['kind']}/{obj['metadata']['name']}"] = obj
        self.kept.put(obj)

    def anew(self) -> Decisions:
        return Decisions(SERVICE, *self.objects.values())

    def step(self) -> None:
        self.chance.choice(
            (self.add_node, self.change_node, self.add_pod, self.add_pod, self.drop_pod, self.drop_node)
        )()

    def names(self, kind: str) -> list[str]:
        return sorted(each["metadata"]["name"] for each in self.objects.values() if each["kind"] == kind)

    def add_node(self) -> None:
        self.made += 1
        self.put(self.some_node(f"n{self.made}"))

    def change_node(self) -> None:
        if names := self.names("Node"):
            self.put(self.some_node(self.chance.choice(names)))

    def some_node(self, name: str) -> Object:
        labels = {ZONE: self.chance.choice("xyz")} if self.chance.random() < 0.9 else {}
        spec: Object = {}
        if self.chance.random() < 0.3:
            effect = self.chance.choice(("NoSchedule", "PreferNoSchedule"))
            spec["taints"] = [{"key": "k", "effect": effect}]
        images = [{"names": ["big:latest"], "sizeBytes": 2**29}] if self.chance.random() < 0.3 else []
        return node(name, labels=labels, spec=spec, cpu=self.chance.choice("24"), images=images)

    def add_pod(self) -> None:
        if names := self.names("Node"):
            self.made += 1
            made = self.some_pod(f"p{self.made}")
            made["spec"]["nodeName"] = self.chance.choice(names)
            self.put(made)

    def drop_pod(self) -> None:
        if names := self.names("Pod"):
            name = self.chance.choice(names)
            del self.objects[f"Pod/{name}"]
            self.kept.cluster.remove_pod(f"ns/{name}")

    def drop_node(self) -> None:
        names = self.names("Node")
        if len(names) > 4:
            name = self.chance.choice(names)
            del self.objects[f"Node/{name}"]
            self.kept.cluster.remove_node(name)

    def some_pod(self, name: str) -> Object:
        spec: dict[str, Any] = self.chance.choice((_plain, _apart, _together, _spread, _softly_apart))()
        labels = {"app": self.chance.choice("ab")}
        main = container(self.chance.choice(("", "100m", "500m")), image=self.chance.choice(("big", "small")))
        return pod(main, name=name, labels=labels, **spec)


def _plain() -> Object:
    return {}


def _term(key: str) -> Object:
    return {"topologyKey": key, "labelSelector": {"matchLabels": {"app": "a"}}}


def _apart() -> Object:
    return {"affinity": {"podAntiAffinity": {REQUIRED: [_term(HOST)]}}}


def _together() -> Object:
    return {"affinity": {"podAffinity": {REQUIRED: [_term(ZONE)]}}}


def _softly_apart() -> Object:
    weighted = [{"weight": 7, "podAffinityTerm": _term(ZONE)}]
    return {"affinity": {"podAntiAffinity": {PREFERRED: weighted}}}


def _spread() -> Object:
    constraint = {
        **_term(ZONE),
        "maxSkew": 1,
        "whenUnsatisfiable": "DoNotSchedule",
        "nodeTaintsPolicy": "Honor",
    }
    return {"topologySpreadConstraints": [constraint, {**constraint, "whenUnsatisfiable": "ScheduleAnyway"}]}


def judged(decisions: Decisions, asking: Object) -> tuple[dict[str, int], str]:
    cycle = decisions.cycle(asking)
    nodes = cycle.feasible(0)
    scores = dict(zip([node.name for node in nodes], cycle.scores(nodes), strict=True)) if nodes else {}
    return scores, "" if nodes else cycle.diagnosis.message()


@pytest.mark.parametrize("seed", range(6))
def test_decisions_are_the_same_as_those_of_a_scheduler_that_has_just_started(seed: int) -> None:
    world = World(seed)
    asked = [world.some_pod(f"asking-{number}") for number in range(6)]
    for _ in range(STEPS):
        world.step()
        fresh = world.anew()
        for asking in asked:
            assert judged(world.kept, asking) == judged(fresh, asking)
    assert world.names("Node")
