"""How many replicas a metric asks for, how far and fast an autoscaler goes: cases of upstream's tables."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kubeling.objects.meta import Object, timestamp
from server.controllers.autoscaling.behavior import History, decide
from server.controllers.autoscaling.metrics_api import MetricsError, PodMetric
from server.controllers.autoscaling.replica_count import (
    Tolerance,
    for_average,
    for_share,
    for_total,
    for_utilization,
)
from server.registry.groups.autoscaling import Autoscalers

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LONG_AGO = timedelta(hours=1)
T, F = "True", "False"


def pods(
    count: int,
    *,
    ready: str = "",
    phases: str = "",
    requests: list[str] | None = None,
    going: str = "",
    age: timedelta = LONG_AGO,
) -> list[Object]:
    """`ready`, `phases` and `going` say of each pod, by a letter, what is so: t or f; R, P or F; t or f."""
    started = timestamp(NOW - age)
    found = []
    for number in range(count):
        phase = {"P": "Pending", "F": "Failed"}.get(phases[number : number + 1], "Running")
        status = F if ready[number : number + 1] == "f" else T
        condition = {"type": "Ready", "status": status, "lastTransitionTime": started}
        request = (requests or ["1"] * count)[number]
        container = {"name": "c", "resources": {"requests": {"cpu": request}}}
        metadata: Object = {"name": f"p{number}"}
        if going[number : number + 1] == "t":
            metadata["deletionTimestamp"] = started
        said = {"phase": phase, "startTime": started, "conditions": [condition]}
        found.append({"metadata": metadata, "spec": {"containers": [container]}, "status": said})
    return found


def levels(*values: int) -> dict[str, PodMetric]:
    return {f"p{number}": PodMetric(value, NOW, 60.0) for number, value in enumerate(values)}


def by_utilization(current: int, target: int, given: list[Object], values: tuple[int, ...]) -> Any:
    return for_utilization(
        current,
        target,
        given,
        levels(*values),
        resource="cpu",
        container="",
        now=NOW,
        tolerance=Tolerance(),
    )


@pytest.mark.parametrize(
    ("current", "target", "given", "values", "expected"),
    [
        pytest.param(3, 30, pods(3), (300, 500, 700), (5, 500, 50), id="up"),
        pytest.param(3, 30, pods(3, ready="ftt"), (300, 500, 700), (4, 600, 60), id="up-unready"),
        pytest.param(3, 30, pods(3, ready="tff"), (400, 500, 700), (3, 400, 40), id="up-too-many-unready"),
        pytest.param(2, 30, pods(4, phases="RRFF"), (500, 700), (4, 600, 60), id="up-failed-ignored"),
        pytest.param(2, 30, pods(4, going="fftt"), (500, 700), (4, 600, 60), id="up-deleted-ignored"),
        pytest.param(3, 30, pods(3, phases="RRP"), (300, 500, 700), (3, 400, 40), id="up-pending"),
        pytest.param(5, 50, pods(5), (100, 300, 500, 250, 250), (3, 280, 28), id="down"),
        pytest.param(
            5, 50, pods(5, ready="tttff"), (100, 300, 500, 250, 250), (2, 300, 30), id="down-unready"
        ),
        pytest.param(
            3, 100, pods(3, requests=["900m", "1", "1100m"]), (1010, 1030, 1020), (3, 1020, 102), id="near"
        ),
        pytest.param(4, 100, pods(4), (4000, 9500, 3000, 7000, 3200, 2000), (24, 5875, 587), id="strangers"),
        pytest.param(2, 100, pods(2), (1000,), (2, 1000, 100), id="missing-at-target"),
        pytest.param(2, 100, pods(2), (1900,), (2, 1900, 190), id="missing-above"),
        pytest.param(2, 100, pods(2), (600,), (2, 600, 60), id="missing-below"),
        pytest.param(3, 50, pods(3, ready="ftt"), (100, 450), (3, 450, 45), id="missing-and-unready"),
        pytest.param(3, 50, pods(3, ready="ftt"), (100, 2000), (4, 2000, 200), id="missing-unready-up"),
        pytest.param(4, 50, pods(4, ready="fttt"), (100, 100, 100), (3, 100, 10), id="missing-unready-down"),
        pytest.param(5, 200, pods(5), (1500, 1500), (5, 1500, 150), id="missing-above-all-requests"),
    ],
)
def test_utilization(
    current: int, target: int, given: list[Object], values: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    assert by_utilization(current, target, given, values) == expected


@pytest.mark.parametrize(
    ("given", "values", "why"),
    [
        ([], (1,), "no pods returned by selector while calculating replica count"),
        (pods(2, ready="ff"), (1, 1), "did not receive metrics for targeted pods (pods might be unready)"),
        (pods(1, requests=["0"]), (1,), "no metrics returned matched known pods"),
    ],
)
def test_nothing_to_go_by(given: list[Object], values: tuple[int, ...], why: str) -> None:
    with pytest.raises(MetricsError) as raised:
        by_utilization(1, 50, given, values)
    assert str(raised.value) == why


def test_a_pod_without_a_request_has_no_utilization() -> None:
    (pod,) = pods(1)
    del pod["spec"]["containers"][0]["resources"]
    with pytest.raises(MetricsError, match="missing request for cpu in container c of Pod p0"):
        by_utilization(1, 50, [pod], (1,))


def test_what_the_pod_requests_as_a_whole_goes_before_its_containers() -> None:
    (pod,) = pods(1)
    pod["spec"]["resources"] = {"requests": {"cpu": "2"}}
    assert by_utilization(1, 50, [pod], (1000,)).percent == 50


@pytest.mark.parametrize(
    ("ready", "window", "counts"), [("t", 30.0, True), ("t", 90.0, False), ("f", 30.0, False)]
)
def test_cpu_of_a_pod_that_starts_counts_once_it_is_ready(ready: str, window: float, counts: bool) -> None:
    given = pods(2, ready=f"t{ready}", age=timedelta(seconds=60))
    given[0] = pods(1)[0]
    metrics = {name: PodMetric(1000, NOW, window) for name in ("p0", "p1")}
    count = for_utilization(
        2, 50, given, metrics, resource="cpu", container="", now=NOW, tolerance=Tolerance()
    )
    assert count.replicas == (4 if counts else 2)


@pytest.mark.parametrize(
    ("current", "target", "given", "values", "expected"),
    [
        pytest.param(3, 15000, pods(3), (20000, 10000, 30000), (4, 20000), id="up"),
        pytest.param(3, 15000, pods(3, ready="tft"), (50000, 10000, 30000), (6, 30000), id="unready-counts"),
        pytest.param(3, 15000, pods(3, phases="RPR"), (50000, 15000, 30000), (6, 40000), id="pending-up"),
        pytest.param(5, 20000, pods(5), (12000,) * 5, (3, 12000), id="down"),
        pytest.param(3, 20000, pods(3), (20666, 20666, 20666), (3, 20666), id="near"),
        pytest.param(4, 20000, pods(4), (10000, 10000), (3, 10000), id="missing-down"),
    ],
)
def test_averages(
    current: int, target: int, given: list[Object], values: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    count = for_average(current, target, given, levels(*values), resource="", now=NOW, tolerance=Tolerance())
    assert (count.replicas, count.usage) == expected


@pytest.mark.parametrize(
    ("current", "target", "usage", "given", "replicas"),
    [
        (3, 15000, 20000, pods(3), 4),
        (3, 15000, 20000, pods(3, ready="ttf"), 3),
        (3, 15000, 16000, pods(3), 3),
        (5, 20000, 12000, pods(5), 3),
        (0, 15000, 50000, [], 4),
        (0, 15000, 0, [], 0),
    ],
)
def test_one_value_for_all(current: int, target: int, usage: int, given: list[Object], replicas: int) -> None:
    assert for_total(current, target, usage, given, tolerance=Tolerance()).replicas == replicas


@pytest.mark.parametrize(
    ("current", "target", "usage", "expected"),
    [
        (3, 2867, 8600, (3, 2867)),
        (3, 2150, 8600, (4, 2867)),
        (5, 4000, 8600, (3, 1720)),
        (0, 10, 30, (3, 30)),
    ],
)
def test_one_value_that_is_shared_out(
    current: int, target: int, usage: int, expected: tuple[int, int]
) -> None:
    count = for_share(current, target, usage, tolerance=Tolerance())
    assert (count.replicas, count.usage) == expected


def rules(*policies: tuple[str, int, int], select: str = "Max", window: int = 0) -> Object:
    made = [{"type": kind, "value": value, "periodSeconds": period} for kind, value, period in policies]
    return {"policies": made, "selectPolicy": select, "stabilizationWindowSeconds": window}


UP = rules(("Pods", 4, 15), ("Percent", 100, 15))
DOWN = rules(("Percent", 100, 15))


def going(
    current: int, wanted: int, *, up: Object = UP, down: Object = DOWN, low: int = 1, high: int = 1000
) -> tuple[int, str]:
    """Once, without a history: how many replicas there are to be, and the reason of the limit."""
    spec = {"minReplicas": low, "maxReplicas": high, "behavior": {"scaleUp": up, "scaleDown": down}}
    decision = decide(spec, History(), current=current, wanted=wanted, now=0.0)
    return decision.replicas, decision.limit[0]


@pytest.mark.parametrize(
    ("current", "wanted", "more", "expected"),
    [
        (10, 12, {}, (12, "DesiredWithinRange")),
        (10, 50, {}, (20, "ScaleUpLimit")),
        (1, 50, {}, (5, "ScaleUpLimit")),
        (10, 50, {"high": 15}, (15, "TooManyReplicas")),
        (10, 50, {"up": rules(("Pods", 3, 60), ("Percent", 50, 60), select="Min")}, (13, "ScaleUpLimit")),
        (10, 50, {"up": rules(("Percent", 1, 60))}, (11, "ScaleUpLimit")),
        (10, 50, {"up": rules(("Pods", 3, 60), select="Disabled")}, (10, "ScaleUpLimit")),
        (10, 1, {}, (1, "DesiredWithinRange")),
        (10, 0, {"low": 2}, (2, "TooFewReplicas")),
        (10, 1, {"down": rules(("Pods", 3, 60), ("Percent", 50, 60))}, (5, "ScaleDownLimit")),
        (10, 1, {"down": rules(("Pods", 3, 60), ("Percent", 50, 60), select="Min")}, (7, "ScaleDownLimit")),
        (10, 1, {"down": rules(("Percent", 5, 60))}, (9, "ScaleDownLimit")),
        (10, 1, {"down": rules(("Pods", 3, 60), select="Disabled")}, (10, "ScaleDownLimit")),
    ],
)
def test_policies(current: int, wanted: int, more: dict[str, Any], expected: tuple[int, str]) -> None:
    assert going(current, wanted, **more) == expected


def test_a_period_remembers_what_was_added_and_deleted() -> None:
    behavior = {"scaleUp": rules(("Pods", 4, 60)), "scaleDown": rules(("Pods", 2, 60))}
    spec = {"minReplicas": 1, "maxReplicas": 100, "behavior": behavior}
    history = History()
    history.scaled(behavior, before=10, after=13, now=0.0)
    assert decide(spec, history, current=13, wanted=50, now=30.0).replicas == 14
    history.scaled(behavior, before=14, after=12, now=30.0)
    assert decide(spec, history, current=12, wanted=50, now=40.0).replicas == 15  # 12 - 3 + 2 + 4
    assert decide(spec, history, current=12, wanted=50, now=100.0).replicas == 16


def test_windows_hold_the_highest_to_go_down_and_the_lowest_to_go_up() -> None:
    behavior = {
        "scaleUp": {**UP, "stabilizationWindowSeconds": 60},
        "scaleDown": {**DOWN, "stabilizationWindowSeconds": 300},
    }
    spec = {"minReplicas": 1, "maxReplicas": 100, "behavior": behavior}
    history = History()
    assert decide(spec, history, current=5, wanted=5, now=0.0).replicas == 5
    up = decide(spec, history, current=5, wanted=8, now=30.0)
    assert (up.replicas, up.able[0]) == (5, "ScaleUpStabilized")
    assert decide(spec, history, current=5, wanted=9, now=61.0).replicas == 8
    down = decide(spec, history, current=8, wanted=2, now=120.0)
    assert (down.replicas, down.able[0]) == (8, "ScaleDownStabilized")
    assert decide(spec, history, current=8, wanted=2, now=362.0).replicas == 2


def test_without_a_behavior_the_default_limits_hold() -> None:
    spec = {"minReplicas": 2, "maxReplicas": 100}
    for current, wanted, expected in ((1, 50, 4), (10, 50, 20), (3, 1, 2), (10, 15, 15)):
        assert decide(spec, History(), current=current, wanted=wanted, now=0.0).replicas == expected


@pytest.mark.parametrize(
    ("kind", "source", "current", "shown"),
    [
        ("Resource", {"name": "cpu", "target": {"averageUtilization": 50}}, {}, "cpu: <unknown>/50%"),
        (
            "Resource",
            {"name": "cpu", "target": {"averageUtilization": 50}},
            {"averageUtilization": 7, "averageValue": "7m"},
            "cpu: 7%/50%",
        ),
        ("Resource", {"name": "memory", "target": {"averageValue": "1Gi"}}, {}, "memory: <unknown>/1Gi"),
        ("Pods", {"target": {"averageValue": "20"}}, {"averageValue": "5"}, "5/20"),
        ("Object", {"target": {"value": "20"}}, {"value": "5"}, "5/20"),
        ("Object", {"target": {"averageValue": "20"}}, {"averageValue": "5"}, "5/20 (avg)"),
        ("External", {"target": {"averageValue": "20"}}, {}, "<unknown>/20 (avg)"),
    ],
)
def test_the_targets_that_kubectl_shows(kind: str, source: Object, current: Object, shown: str) -> None:
    field = kind[0].lower() + kind[1:]
    status = {"currentMetrics": [{"type": kind, field: {"current": current}}]}
    hpa = {"metadata": {}, "spec": {"metrics": [{"type": kind, field: source}]}, "status": status}
    assert Autoscalers().cells(hpa, NOW)[2] == shown
