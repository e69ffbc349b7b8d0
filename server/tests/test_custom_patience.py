"""Rules that take long are checked in a thread: the event loop goes on."""

import threading

import pytest

from server.schema.custom import compiled
from server.schema.patience import Laborious, unhurried

RULE = {"rule": "self.l.all(x, self.l.all(y, x != y || x == y))"}
SCHEMA = {
    "type": "object",
    "properties": {"l": {"type": "array", "items": {"type": "integer"}}},
    "x-kubernetes-validations": [RULE],
}


@pytest.mark.parametrize(("length", "times", "place"), [(5, 1, "loop"), (100, 2, "thread")])
async def test_a_laborious_check_is_done_again_in_a_thread(length: int, times: int, place: str) -> None:
    schema, threads = compiled(SCHEMA), []

    def check() -> list[object]:
        threads.append(threading.current_thread())
        return list(schema.validate({"l": list(range(length))}))

    assert await unhurried(check) == []
    assert len(threads) == times
    assert (threads[-1] is threading.main_thread()) == (place == "loop")


async def test_what_rules_may_cost_stays_the_same() -> None:
    schema = compiled(SCHEMA)
    found = await unhurried(lambda: schema.validate({"l": list(range(1000))}))
    assert "actual cost limit exceeded" in found[0].message


def test_who_asks_at_once_waits_as_long_as_it_takes() -> None:
    try:
        assert compiled(SCHEMA).validate({"l": list(range(100))}) == []
    except Laborious:
        pytest.fail("nobody was in a hurry")
