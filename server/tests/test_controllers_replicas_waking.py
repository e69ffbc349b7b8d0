"""What wakes a ReplicaSet at once, and what a little later."""

import pytest

from kubeling.client.fake import FakeClient
from kubeling.client.resources import REPLICA_SETS
from kubeling.client.workqueue import WorkQueue
from kubeling.objects.clock import FakeClock
from kubeling.objects.meta import Object
from server.controllers.owned.expectations import Expectations
from server.controllers.owned.pace import Pace
from server.controllers.replicas.flavour import REPLICA_SET
from server.controllers.replicas.wake import Wake

UID = "u"


class Heard(Pace):
    """Notes what it is told instead of waking."""

    def __init__(self) -> None:
        super().__init__(WorkQueue(FakeClock()))
        self.said: list[str] = []

    def wake(self, key: str) -> None:
        self.said.append(f"now {key}")

    def wake_soon(self, key: str, pods: int) -> None:
        self.said.append(f"soon {key} of {pods}")


class Scene:
    """A ReplicaSet `ns/rs` of 7, and the handler of its pods."""

    def __init__(self, client: FakeClient) -> None:
        self.heard = Heard()
        self.expectations = Expectations(FakeClock())
        self.wake = Wake(REPLICA_SET, client.informer(REPLICA_SETS), self.heard, self.expectations)

    def tell(self, kind: str, pod: Object, before: Object | None = None) -> list[str]:
        self.heard.said.clear()
        self.wake.pod_changed(kind, pod, before)
        return self.heard.said


@pytest.fixture
async def scene() -> Scene:
    client = FakeClient()
    spec = {"replicas": 7, "selector": {"matchLabels": {"a": "x"}}}
    owner = {"metadata": {"name": "rs", "namespace": "ns", "uid": UID}, "spec": spec}
    client.put({"apiVersion": "apps/v1", "kind": "ReplicaSet", **owner})
    informer = client.informer(REPLICA_SETS)
    await informer.wait_synced()
    return Scene(client)


def _pod(*, owned: bool = True, going: bool = False, label: str = "x", phase: str = "Running") -> Object:
    metadata: Object = {"name": "p", "namespace": "ns", "uid": "p", "labels": {"a": label}}
    if owned:
        reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": UID}
        metadata["ownerReferences"] = [{**reference, "controller": True}]
    if going:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {"metadata": metadata, "status": {"phase": phase}}


async def test_a_change_of_status_is_counted_soon(scene: Scene) -> None:
    assert scene.tell("MODIFIED", _pod(), _pod(phase="Pending")) == ["soon ns/rs of 7"]


@pytest.mark.parametrize("now", [_pod(phase="Failed"), _pod(going=True), _pod(label="y")])
async def test_a_pod_less_is_told_at_once(scene: Scene, now: Object) -> None:
    assert scene.tell("MODIFIED", now, _pod()) == ["now ns/rs"]


async def test_a_pod_that_was_going_and_is_gone_is_counted_soon(scene: Scene) -> None:
    assert scene.tell("DELETED", _pod(going=True), _pod(going=True)) == ["soon ns/rs of 7"]
    assert scene.tell("DELETED", _pod(), _pod()) == ["now ns/rs"]


async def test_of_the_pods_that_are_expected_the_last_one_wakes_at_once(scene: Scene) -> None:
    scene.expectations.expect("ns/rs", creations=2)
    assert scene.tell("ADDED", _pod()) == ["soon ns/rs of 7"]
    assert scene.tell("ADDED", _pod()) == ["now ns/rs"]


async def test_a_pod_without_an_owner_wakes_who_selects_it_when_that_is_new(scene: Scene) -> None:
    assert scene.tell("ADDED", _pod(owned=False)) == ["now ns/rs"]
    assert scene.tell("MODIFIED", _pod(owned=False), _pod(owned=False, phase="Pending")) == []
    assert scene.tell("MODIFIED", _pod(owned=False), _pod(owned=False, label="y")) == ["now ns/rs"]
    assert scene.tell("ADDED", _pod(owned=False, label="y")) == []
    assert scene.tell("DELETED", _pod(owned=False)) == []


async def test_a_pod_that_another_took_wakes_its_last_owner(scene: Scene) -> None:
    taken = _pod()
    taken["metadata"]["ownerReferences"][0] |= {"name": "other", "uid": "o"}
    assert scene.tell("MODIFIED", taken, _pod()) == ["now ns/rs"]
