"""Events are counted, combined and limited as upstream does, and never trouble who records them."""

from kubeling.client.errors import ConnectionLost
from kubeling.client.event_recorder import QUEUE_SIZE, EventRecorder
from kubeling.client.fake import FakeClient
from kubeling.client.resources import EVENTS
from kubeling.objects.clock import FakeClock
from kubeling.objects.errors import Forbidden
from kubeling.objects.meta import Object

POD: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "ns", "uid": "u", "resourceVersion": "7"},
}


async def events(client: FakeClient) -> list[Object]:
    return (await client.list(EVENTS)).items


async def test_a_kubelet_event_names_its_object_and_source() -> None:
    clock = FakeClock()
    client = FakeClient(clock=clock)
    recorder = EventRecorder(client, "kubelet", clock=clock, host="n1")
    recorder.event(POD, "Normal", "Pulled", "image is there", field_path="spec.containers{app}")
    await clock.advance(0)
    (event,) = await events(client)
    assert event["metadata"]["name"].startswith("p.")
    assert event["metadata"]["namespace"] == "ns"
    assert event["involvedObject"] == {
        "apiVersion": "v1",
        "kind": "Pod",
        "namespace": "ns",
        "name": "p",
        "uid": "u",
        "resourceVersion": "7",
        "fieldPath": "spec.containers{app}",
    }
    assert event["source"] == {"component": "kubelet", "host": "n1"}
    assert (event["reportingComponent"], event["reportingInstance"]) == ("kubelet", "n1")
    assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-01-01T00:00:00Z"
    assert event["count"] == 1


async def test_a_repeated_event_raises_the_count() -> None:
    clock = FakeClock()
    client = FakeClient(clock=clock)
    recorder = EventRecorder(client, "kubelet", clock=clock)
    for _ in range(3):
        recorder.event(POD, "Warning", "BackOff", "again")
        await clock.advance(10)
    (event,) = await events(client)
    assert (event["count"], event["lastTimestamp"]) == (3, "2026-01-01T00:00:20Z")


async def test_an_expired_event_begins_anew() -> None:
    clock = FakeClock()
    client = FakeClient(clock=clock)
    recorder = EventRecorder(client, "kubelet", clock=clock)
    recorder.event(POD, "Warning", "BackOff", "again")
    await clock.advance(1)
    client.remove(EVENTS, (await events(client))[0]["metadata"]["name"], namespace="ns")
    recorder.event(POD, "Warning", "BackOff", "again")
    await clock.advance(1)
    (event,) = await events(client)
    assert event["count"] == 2


async def test_a_scheduler_event_has_a_series_instead_of_a_count() -> None:
    clock = FakeClock()
    client = FakeClient(clock=clock)
    recorder = EventRecorder(client, "default-scheduler", clock=clock, instance="default-scheduler-h")
    for _ in range(2):
        recorder.event(POD, "Warning", "FailedScheduling", "no", action="Scheduling")
        await clock.advance(5)
    (event,) = await events(client)
    assert (event["source"], event["action"]) == ({}, "Scheduling")
    assert event["eventTime"] == "2026-01-01T00:00:00.000000Z"
    assert event["series"] == {"count": 2, "lastObservedTime": "2026-01-01T00:00:05.000000Z"}
    assert "count" not in event


async def test_many_messages_of_one_reason_are_combined() -> None:
    clock = FakeClock()
    client = FakeClient(clock=clock)
    recorder = EventRecorder(client, "kubelet", clock=clock)
    for number in range(12):
        recorder.event(POD, "Warning", "Unhealthy", f"probe {number}")
    await clock.advance(1)
    found = await events(client)
    assert len(found) == 10
    assert found[-1]["message"] == "(combined from similar events): probe 11"
    assert found[-1]["count"] == 3


async def test_one_object_may_cause_a_burst_of_25() -> None:
    clock = FakeClock()
    client = FakeClient(clock=clock)
    recorder = EventRecorder(client, "kubelet", clock=clock)
    for _ in range(40):
        recorder.event(POD, "Warning", "BackOff", "again")
    await clock.advance(1)
    assert len(client.writes()) == 25
    await clock.advance(300)
    recorder.event(POD, "Warning", "BackOff", "again")
    await clock.advance(1)
    assert (await events(client))[0]["count"] == 41


async def test_the_server_being_away_delays_events_and_a_full_queue_drops_new_ones() -> None:
    clock = FakeClock()
    client = FakeClient(clock=clock)
    client.fail("create", ConnectionLost("away"), times=3)
    recorder = EventRecorder(client, "kubelet", clock=clock)
    for number in range(QUEUE_SIZE + 5):
        recorder.event({**POD, "metadata": {"name": f"p{number}", "namespace": "ns"}}, "Normal", "R", "m")
    await clock.advance(5)
    assert len(await events(client)) == QUEUE_SIZE


async def test_a_refused_event_is_dropped() -> None:
    clock = FakeClock()
    client = FakeClient(clock=clock)
    client.fail("create", Forbidden("the namespace is being terminated"))
    recorder = EventRecorder(client, "kubelet", clock=clock)
    recorder.event(POD, "Normal", "A", "first")
    recorder.event(POD, "Normal", "B", "second")
    await clock.advance(1)
    assert [event["reason"] for event in await events(client)] == ["B"]
