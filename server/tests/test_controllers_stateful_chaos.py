"""A StatefulSet changed at random, and whose pods break: what it is at rest, and what its status says."""

import random
from pathlib import Path

import pytest

from kubeling.client.resources import CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS, PODS, STATEFUL_SETS
from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object
from server.tests.plane import Plane, started_plane

CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


class Moody:
    """Does something to the set or to its pods; the same seed does the same."""

    def __init__(self, plane: Plane, seed: int) -> None:
        self._plane = plane
        self._choose = random.Random(seed)

    async def act(self) -> None:
        acts = (
            self._scale,
            self._start,
            self._template,
            self._roll,
            self._run,
            self._run,
            self._kill,
            self._end,
        )
        await self._choose.choice(acts)()

    async def _scale(self) -> None:
        await self._patch({"replicas": self._choose.randint(0, 4)})

    async def _start(self) -> None:
        await self._patch({"ordinals": {"start": self._choose.choice((0, 0, 2))}})

    async def _template(self) -> None:
        containers = [{"name": "c", "image": self._choose.choice("xyz")}]
        await self._patch({"template": {"spec": {"containers": containers}}})

    async def _roll(self) -> None:
        rolling = {
            "partition": self._choose.choice((0, 0, 1, 2)),
            "maxUnavailable": self._choose.choice((1, 2)),
        }
        await self._patch({"updateStrategy": {"rollingUpdate": rolling}})

    async def _patch(self, spec: Object) -> None:
        await self._plane.patch(STATEFUL_SETS, "web", {"spec": spec})

    async def _run(self) -> None:
        if pod := self._pod():
            await self._plane.set_pod(pod, ready=self._choose.random() < 0.8)

    async def _end(self) -> None:
        if pod := self._pod():
            await self._plane.set_pod(pod, self._choose.choice(("Failed", "Succeeded")))

    async def _kill(self) -> None:
        if pod := self._pod():
            await self._plane.client.delete(PODS, pod, namespace="ns")
            await self._plane.settle()

    def _pod(self) -> str:
        pods = sorted(map(meta.name, self._plane.list(PODS)))
        return self._choose.choice(pods) if pods else ""


def _set(plane: Plane) -> Object:
    found = plane.get(STATEFUL_SETS, "web")
    assert found is not None
    return found


def _check_status(plane: Plane) -> None:
    status, pods = _set(plane)["status"], plane.list(PODS)
    marks = [meta.labels(pod).get("controller-revision-hash") for pod in pods if pod["status"].get("phase")]
    assert status["replicas"] == len(marks)
    assert status.get("updatedReplicas", 0) == marks.count(status["updateRevision"])
    assert status["observedGeneration"] == _set(plane)["metadata"]["generation"]


async def _calm(plane: Plane) -> None:
    """Kubelets do what they are asked to until nothing changes any more."""
    revision = -1
    while revision != plane.store.revision:
        revision = plane.store.revision
        for name in sorted(map(meta.name, plane.list(PODS))):
            pod = plane.get(PODS, name)
            if pod is not None and not conditions.is_true(pod, "Ready"):
                await plane.set_pod(name)
        await plane.advance(10)


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
@pytest.mark.parametrize("seed", range(4))
async def test_at_rest_it_has_the_pods_that_it_asks_for(tmp_path: Path, seed: int, policy: str) -> None:
    async with started_plane(tmp_path) as plane:
        for resource in (PODS, STATEFUL_SETS, CONTROLLER_REVISIONS, PERSISTENT_VOLUME_CLAIMS):
            plane.client.informer(resource)
        template = {
            "metadata": {"labels": {"app": "x"}},
            "spec": {"containers": [{"name": "c", "image": "x"}]},
        }
        spec = {
            "podManagementPolicy": policy,
            "replicas": 2,
            "selector": {"matchLabels": {"app": "x"}},
            "template": template,
            "volumeClaimTemplates": [CLAIM],
            "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete", "whenDeleted": "Retain"},
        }
        await plane.create(STATEFUL_SETS, {"metadata": {"name": "web"}, "spec": spec})
        moody = Moody(plane, seed)
        for _ in range(40):
            await moody.act()
            _check_status(plane)
        await plane.patch(
            STATEFUL_SETS, "web", {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}}
        )
        await _calm(plane)
        found = _set(plane)
        first = found["spec"]["ordinals"]["start"] if "ordinals" in found["spec"] else 0
        ordinals = range(first, first + found["spec"]["replicas"])
        pods = {meta.name(pod): pod for pod in plane.list(PODS)}
        assert sorted(pods) == [f"web-{ordinal}" for ordinal in ordinals]
        image = found["spec"]["template"]["spec"]["containers"][0]["image"]
        assert {pod["spec"]["containers"][0]["image"] for pod in pods.values()} <= {image}
        status = found["status"]
        assert status["currentRevision"] == status["updateRevision"]
        claims = set(map(meta.name, plane.list(PERSISTENT_VOLUME_CLAIMS)))
        assert claims >= {f"data-web-{ordinal}" for ordinal in ordinals}
