"""A DaemonSet amid nodes and pods that change at random: what is counted step by step is what there is."""

import random
from collections import Counter
from pathlib import Path

import pytest

from kubeling.client.resources import DAEMON_SETS, NODES, PODS
from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object
from server.controllers import Settings
from server.controllers.daemon_set.template import target_node
from server.tests.plane import Plane, started_plane

NAMES = tuple("abcdef")
STRATEGIES: tuple[Object, ...] = (
    {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 2, "maxSurge": 0}},
    {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "30%"}},
    {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "50%", "maxSurge": 0}},
)


class Moody:
    """Does something to the cluster; the same seed does the same."""

    def __init__(self, plane: Plane, seed: int) -> None:
        self._plane = plane
        self._choose = random.Random(seed)

    async def act(self) -> None:
        acts = (
            self._node,
            self._label,
            self._taint,
            self._set,
            self._run,
            self._run,
            self._kill,
            self._fail,
            self._orphan,
        )
        await self._choose.choice(acts)()

    async def _node(self) -> None:
        name = self._choose.choice(NAMES)
        if self._plane.get(NODES, name) is None:
            await self._plane.add_node(name)
        elif self._choose.random() < 0.3:
            await self._plane.client.delete(NODES, name)
            await self._plane.settle()

    async def _label(self) -> None:
        await self._patch_node({"metadata": {"labels": {"daemons": self._choose.choice(("yes", None))}}})

    async def _taint(self) -> None:
        effect = self._choose.choice(("NoSchedule", "NoExecute", ""))
        taints = [{"key": "k", "effect": effect}] if effect else None
        await self._patch_node({"spec": {"taints": taints}})

    async def _patch_node(self, patch: Object) -> None:
        name = self._choose.choice(NAMES)
        if self._plane.get(NODES, name) is not None:
            await self._plane.patch(NODES, name, patch)

    async def _set(self) -> None:
        containers = [{"name": "c", "image": self._choose.choice("xyz")}]
        selector = self._choose.choice(({"daemons": "yes"}, None, None))
        spec = {"template": {"spec": {"containers": containers, "nodeSelector": selector}}}
        await self._plane.patch(DAEMON_SETS, "ds", {"spec": spec})

    async def _run(self) -> None:
        if pod := self._pod():
            await self._plane.set_pod(pod, ready=self._choose.random() < 0.8)

    async def _fail(self) -> None:
        if pod := self._pod():
            await self._plane.set_pod(pod, "Failed")

    async def _orphan(self) -> None:
        if pod := self._pod():
            await self._plane.patch(PODS, pod, {"metadata": {"ownerReferences": None}})

    async def _kill(self) -> None:
        if pod := self._pod():
            await self._plane.client.delete(PODS, pod, namespace="ns")
            await self._plane.settle()

    def _pod(self) -> str:
        standing = sorted(map(meta.name, _standing(self._plane)))
        return self._choose.choice(standing) if standing else ""


def _standing(plane: Plane) -> list[Object]:
    return [pod for pod in plane.list(PODS) if not meta.is_terminating(pod)]


def _daemon_set(plane: Plane) -> Object:
    found = plane.get(DAEMON_SETS, "ds")
    assert found is not None
    return found


def _fitting(plane: Plane) -> set[str]:
    selector = _daemon_set(plane)["spec"]["template"]["spec"].get("nodeSelector") or {}
    return {
        meta.name(node)
        for node in plane.list(NODES)
        if all(meta.labels(node).get(key) == value for key, value in selector.items())
        and not node["spec"].get("taints")
    }


def _check_counts(plane: Plane) -> None:
    """What the status says is what there is."""
    status, fitting = _daemon_set(plane)["status"], _fitting(plane)
    on_nodes = Counter(target_node(pod) for pod in plane.list(PODS))
    nodes = set(map(meta.name, plane.list(NODES)))
    assert status["desiredNumberScheduled"] == len(fitting)
    assert status["currentNumberScheduled"] == len(fitting & set(on_nodes))
    assert status["numberMisscheduled"] == len((nodes - fitting) & set(on_nodes))
    assert max(on_nodes.values(), default=0) <= 2


async def _calm(plane: Plane) -> None:
    """Taints go, kubelets do what they are asked to, and time passes until nothing changes any more."""
    for node in plane.list(NODES):
        await plane.patch(NODES, meta.name(node), {"spec": {"taints": None}})
    for _ in range(60):
        revision = plane.store.revision
        for name in map(meta.name, _standing(plane)):
            pod = plane.get(PODS, name)
            if pod is not None and not conditions.is_true(pod, "Ready"):
                await plane.set_pod(name)
        await plane.advance(20)
        if plane.store.revision == revision:
            return


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("seed", range(3))
async def test_in_the_end_each_node_that_fits_has_one_new_pod(
    tmp_path: Path, seed: int, strategy: Object
) -> None:
    patient = Settings(certificate_authority="PEM", node_monitor_grace=1e6, node_startup_grace=1e6)
    async with started_plane(tmp_path, settings=patient) as plane:
        for resource in (PODS, NODES, DAEMON_SETS):
            plane.client.informer(resource)
        template = {
            "metadata": {"labels": {"app": "x"}},
            "spec": {"containers": [{"name": "c", "image": "x"}]},
        }
        spec = {"selector": {"matchLabels": {"app": "x"}}, "template": template, "updateStrategy": strategy}
        await plane.create(DAEMON_SETS, {"metadata": {"name": "ds"}, "spec": spec})
        moody = Moody(plane, seed)
        for _ in range(40):
            await moody.act()
            _check_counts(plane)
        await _calm(plane)
        image = _daemon_set(plane)["spec"]["template"]["spec"]["containers"][0]["image"]
        found = sorted((target_node(pod), pod["spec"]["containers"][0]["image"]) for pod in plane.list(PODS))
        assert found == sorted((node, image) for node in _fitting(plane))
        status = _daemon_set(plane)["status"]
        expected = len(found)
        assert status.get("numberAvailable", 0) == status.get("updatedNumberScheduled", 0) == expected
