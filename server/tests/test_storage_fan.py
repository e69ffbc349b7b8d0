"""How soon watchers hear of events: a few at once, many together."""

import asyncio
from collections.abc import Sequence

from server.storage.fan import FEW, LONGEST_PAUSE_SECONDS, Fan
from server.storage.record import Event, Record


class Listener:
    def __init__(self) -> None:
        self.heard: list[list[int]] = []

    def offer(self, events: Sequence[Event]) -> None:
        self.heard.append([event.revision for event in events])

    def lose(self) -> None:
        pass

    def close(self) -> None:
        pass


def event(revision: int) -> Event:
    record = Record(
        resource="pods",
        namespace="ns",
        name=f"pod-{revision}",
        uid="u",
        revision=revision,
        created_revision=revision,
        body=b"{}",
    )
    return Event("ADDED", record, None)


def fan_of(count: int) -> tuple[Fan, list[Listener]]:
    fan, listeners = Fan(), [Listener() for _ in range(count)]
    fan.watchers = dict.fromkeys(listeners)
    return fan, listeners


async def test_a_few_watchers_hear_of_each_event_at_once() -> None:
    fan, listeners = fan_of(FEW)
    for revision in (1, 2, 3):
        fan.offer([event(revision)])
    assert [listener.heard for listener in listeners] == [[[1], [2], [3]]] * FEW


async def test_many_watchers_hear_of_the_first_event_at_once_and_of_a_burst_together() -> None:
    fan, listeners = fan_of(FEW + 1)
    for revision in (1, 2, 3):
        fan.offer([event(revision)])
    assert listeners[0].heard == [[1]]
    await asyncio.sleep(2 * LONGEST_PAUSE_SECONDS)
    assert [listener.heard for listener in listeners] == [[[1], [2, 3]]] * (FEW + 1)


async def test_an_event_after_a_pause_goes_out_at_once_again() -> None:
    fan, listeners = fan_of(FEW + 1)
    fan.offer([event(1)])
    await asyncio.sleep(2 * LONGEST_PAUSE_SECONDS)
    fan.offer([event(2)])
    assert listeners[0].heard == [[1], [2]]


async def test_flush_tells_what_has_gathered() -> None:
    fan, listeners = fan_of(FEW + 1)
    fan.offer([event(1)])
    fan.offer([event(2)])
    fan.flush()
    assert listeners[0].heard == [[1], [2]]
    assert fan.gathered == []
