"""Which pods of a StatefulSet go next in an update: maxUnavailable, partitions, pods that are broken."""

from datetime import UTC, datetime

import pytest

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.stateful_set.rolling import doomed, max_unavailable

NOW = datetime(2026, 1, 1, 1, tzinfo=UTC)
SOUND, BROKEN, GOING, NEW, NEW_BROKEN = ["sound", "broken", "going", "new", "new-broken"]


def pod(ordinal: int, state: str) -> Object:
    ready = str(state in (SOUND, NEW, GOING))
    condition = {"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:00Z"}
    revision = "new" if state in (NEW, NEW_BROKEN) else "old"
    metadata = {"name": f"web-{ordinal}", "labels": {"controller-revision-hash": revision}}
    if state == GOING:
        metadata["deletionTimestamp"] = "2026-01-01T00:59:59Z"
    return {"metadata": metadata, "status": {"phase": "Running", "conditions": [condition]}}


def next_to_go(policy: str, states: list[str], bound: int | str = 1, partition: int = 0) -> list[str]:
    rolling = {"maxUnavailable": bound, "partition": partition}
    spec = {"podManagementPolicy": policy, "updateStrategy": {"rollingUpdate": rolling}}
    pods = [pod(ordinal, state) for ordinal, state in enumerate(states)]
    return [
        meta.name(each).removeprefix("web-") for each in doomed({"spec": spec}, pods, update="new", now=NOW)
    ]


@pytest.mark.parametrize("policy", ["Parallel", "OrderedReady"])
@pytest.mark.parametrize(
    ("states", "bound", "expected"),
    [
        ([SOUND] * 3, 1, ["2"]),
        ([SOUND] * 3, 2, ["2", "1"]),
        ([SOUND] * 3, 5, ["2", "1", "0"]),
        ([SOUND] * 3 + [NEW], 1, ["2"]),
        ([SOUND] * 3 + [NEW_BROKEN], 1, []),
        ([SOUND] * 3 + [NEW_BROKEN], 2, ["2"]),
        ([SOUND] * 2 + [GOING], 1, []),
        ([SOUND] * 2 + [GOING], 2, ["1"]),
        ([NEW] * 3, 3, []),
        ([SOUND] * 10, "35%", ["9", "8", "7"]),
        ([SOUND] * 2, "10%", ["1"]),
    ],
)
def test_no_more_are_away_than_may_be(
    policy: str, states: list[str], bound: int | str, expected: list[str]
) -> None:
    assert next_to_go(policy, states, bound) == expected


@pytest.mark.parametrize(
    ("states", "bound", "parallel", "ordered"),
    [
        ([BROKEN], 1, ["0"], []),
        ([SOUND, SOUND, BROKEN], 1, ["2"], []),
        ([SOUND, SOUND, SOUND, BROKEN, BROKEN], 2, ["4", "3"], []),
        ([SOUND, SOUND, SOUND, BROKEN, GOING], 3, ["3", "2"], ["3"]),
        ([BROKEN, BROKEN, SOUND, SOUND], 2, ["1", "0"], []),
        ([BROKEN, BROKEN, SOUND, SOUND, SOUND], 3, ["1", "0", "4"], ["4"]),
    ],
)
def test_what_is_broken_by_the_old_template_goes_first_in_parallel(
    states: list[str], bound: int, parallel: list[str], ordered: list[str]
) -> None:
    assert next_to_go("Parallel", states, bound) == parallel
    assert next_to_go("OrderedReady", states, bound) == ordered


@pytest.mark.parametrize(
    ("states", "partition", "bound", "expected"),
    [
        ([SOUND] * 3, 2, 3, ["2"]),
        ([SOUND] * 3, 3, 3, []),
        ([SOUND] * 3, 9, 3, []),
        ([SOUND, BROKEN, SOUND, SOUND, SOUND], 2, 1, []),
        ([SOUND, SOUND, BROKEN, SOUND, SOUND], 2, 1, ["2"]),
        ([SOUND, BROKEN, SOUND, SOUND, BROKEN], 3, 2, ["4"]),
    ],
)
def test_below_the_partition_none_goes(
    states: list[str], partition: int, bound: int, expected: list[str]
) -> None:
    assert next_to_go("Parallel", states, bound, partition) == expected


def test_one_may_be_away_if_nothing_is_said() -> None:
    assert max_unavailable({"spec": {}}, 5) == 1
