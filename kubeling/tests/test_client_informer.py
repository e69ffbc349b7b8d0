"""An informer with its own copy: what it does when history, the server or a handler fails."""

import pytest

from kubeling.client.errors import ConnectionLost
from kubeling.client.fake import FakeClient
from kubeling.client.resources import CONFIGMAPS
from kubeling.objects import errors
from kubeling.objects.clock import FakeClock
from kubeling.objects.errors import Expired, ServiceUnavailable
from kubeling.objects.meta import Object


def config_map(name: str, **metadata: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "ns", **metadata},
    }


def lists(client: FakeClient) -> int:
    return sum(request.verb == "list" for request in client.requests)


class Seen(list[tuple[str, str]]):
    def __call__(self, kind: str, obj: Object, old: Object | None) -> None:
        self.append((kind, obj["metadata"]["name"]))


async def test_a_watch_that_ends_is_resumed_without_listing() -> None:
    clock = FakeClock()
    client, seen = FakeClient(clock=clock), Seen()
    client.informer(CONFIGMAPS).add_handler(seen)
    await clock.advance(2)
    client.end_watches()
    client.put(config_map("a"))
    await clock.advance(1)
    assert seen == [("ADDED", "a")]
    assert lists(client) == 1
    await client.close()


async def test_lost_history_is_made_up_by_listing() -> None:
    clock = FakeClock()
    client, seen = FakeClient(config_map("a"), config_map("b"), clock=clock), Seen()
    client.informer(CONFIGMAPS).add_handler(seen)
    await clock.advance(2)
    client.end_watches(Expired("too old resource version"))
    client.remove(CONFIGMAPS, "a", namespace="ns")
    client.put(config_map("c"))
    await clock.advance(1)
    assert seen[2:] == [("DELETED", "a"), ("ADDED", "c")]
    assert lists(client) == 2
    await client.close()


async def test_an_object_made_anew_is_deleted_and_added() -> None:
    clock = FakeClock()
    client, seen = FakeClient(config_map("a", uid="1"), clock=clock), Seen()
    client.informer(CONFIGMAPS).add_handler(seen)
    await clock.advance(2)
    client.fail("watch", Expired("gone"))
    client.end_watches()
    client.remove(CONFIGMAPS, "a", namespace="ns")
    client.put(config_map("a", uid="2"))
    await clock.advance(1)
    assert seen == [("ADDED", "a"), ("DELETED", "a"), ("ADDED", "a")]
    await client.close()


async def test_the_first_retries_are_quick_and_later_ones_are_not_many() -> None:
    clock = FakeClock()
    client = FakeClient(clock=clock)
    client.fail("list", ConnectionLost("nobody there"), times=10_000)
    client.informer(CONFIGMAPS)
    await clock.advance(1)
    quick = lists(client)
    assert quick >= 9
    await clock.advance(60)
    assert lists(client) - quick < 40
    await client.close()


@pytest.mark.parametrize("error", [ServiceUnavailable("starting"), errors.Timeout("ahead")], ids=str)
async def test_a_server_that_refuses_is_asked_again(error: Exception) -> None:
    clock = FakeClock()
    client = FakeClient(config_map("a"), clock=clock)
    client.fail("*", error, times=3)
    informer = client.informer(CONFIGMAPS)
    await clock.advance(1)
    assert informer.synced
    await client.close()


async def test_watches_that_end_at_once_are_no_hot_loop() -> None:
    clock = FakeClock()
    client = FakeClient(clock=clock)
    client.informer(CONFIGMAPS)
    await clock.advance(0)
    for _ in range(200):
        client.end_watches()
        await clock.advance(0.1)
    assert len(client.requests) < 60
    await client.close()


async def test_a_handler_that_raises_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    client, seen = FakeClient(clock=clock), Seen()

    def broken(kind: str, obj: Object, old: Object | None) -> None:
        raise ValueError("a bug")

    informer = client.informer(CONFIGMAPS)
    informer.add_handler(broken)
    informer.add_handler(seen)
    client.put(config_map("a"))
    client.put(config_map("b"))
    await clock.advance(0)
    assert seen == [("ADDED", "a"), ("ADDED", "b")]
    assert "a bug" in caplog.text
    await client.close()


async def test_a_late_handler_learns_what_is_known() -> None:
    clock = FakeClock()
    client, seen = FakeClient(config_map("a"), clock=clock), Seen()
    informer = client.informer(CONFIGMAPS)
    await clock.advance(0)
    informer.add_handler(seen)
    await clock.advance(0)
    assert seen == [("ADDED", "a")]
    informer.remove_handler(seen)
    client.put(config_map("b"))
    await clock.advance(0)
    assert seen == [("ADDED", "a")]
    await client.close()


async def test_informers_of_what_is_served_no_longer_end() -> None:
    clock = FakeClock()
    client, seen = FakeClient(clock=clock), Seen()
    first = client.informer(CONFIGMAPS)
    first.add_handler(seen)
    await clock.advance(2)
    client.drop_informers(CONFIGMAPS)
    asked = len(client.requests)
    client.put(config_map("a"))
    await clock.advance(60)
    assert (seen, len(client.requests)) == ([], asked)
    second = client.informer(CONFIGMAPS)
    await clock.advance(2)
    assert second is not first
    assert [each["metadata"]["name"] for each in second.list()] == ["a"]
