"""Which pods have to go for a more important one, and from which node."""

from typing import Any

from kubeling.objects.meta import Object
from server.tests.decisions import Decisions, container, node, pod


def running(name: str, priority: int = 0, cpu: str = "1", started: str = "", **labels: str) -> Object:
    made = pod(container(cpu), name=name, labels=labels, priority=priority)
    made["status"] = {"phase": "Running", "startTime": started or "2026-01-01T00:00:00Z"}
    return made


def important(cpu: str = "1", priority: int = 100, **spec: Any) -> Object:
    return pod(container(cpu), name="important", priority=priority, **spec)


def budget(allowed: int, **labels: str) -> Object:
    return {
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "b", "namespace": "ns"},
        "spec": {"selector": {"matchLabels": labels}},
        "status": {"disruptionsAllowed": allowed},
    }


def full(*nodes: list[Object], extra: tuple[Object, ...] = ()) -> Decisions:
    """Nodes n0, n1, ... with two cores and these pods."""
    decisions = Decisions(*(node(f"n{number}") for number in range(len(nodes))), *extra)
    for number, pods in enumerate(nodes):
        for each in pods:
            decisions.place(each, f"n{number}")
    return decisions


def preempted(decisions: Decisions, pod: Object) -> tuple[str, list[str]]:
    candidate = decisions.preempted(pod)
    assert candidate is not None
    return candidate.node, [victim.name for victim in candidate.victims]


def test_no_more_pods_go_than_are_in_the_way() -> None:
    decisions = full([running("a", 1), running("b", 2)])
    assert preempted(decisions, important()) == ("n0", ["a"])
    assert preempted(decisions, important("2")) == ("n0", ["b", "a"])


def test_of_equally_important_pods_the_younger_goes() -> None:
    old = running("old", started="2026-01-01T00:00:00Z")
    young = running("young", started="2026-01-01T00:00:01Z")
    assert preempted(full([young, old]), important()) == ("n0", ["young"])


def test_pods_as_important_stay() -> None:
    decisions = full([running("a", 100), running("b", 200)])
    assert decisions.preempted(important()) is None
    assert decisions.refusal(important()).endswith(
        "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
    )


def test_where_it_would_not_help_the_reason_is_told() -> None:
    decisions = full([running("a", 100, "1500m"), running("b", 1, "500m")])
    assert decisions.refusal(important()).endswith("preemption: 0/1 nodes are available: 1 Insufficient cpu.")


def test_fewest_violated_budgets_first() -> None:
    guarded = [running("a", 1, "2", app="guarded")]
    decisions = full(guarded, [running("b", 50, "2")], extra=(budget(0, app="guarded"),))
    assert preempted(decisions, important()) == ("n1", ["b"])
    decisions = full(guarded, [running("b", 50, "2")], extra=(budget(1, app="guarded"),))
    assert preempted(decisions, important()) == ("n0", ["a"])


def test_on_one_node_pods_that_no_budget_covers_go_first() -> None:
    decisions = full([running("a", 1, app="guarded"), running("b", 2)], extra=(budget(0, app="guarded"),))
    assert preempted(decisions, important()) == ("n0", ["b"])


def test_then_the_least_important_victims() -> None:
    assert preempted(full([running("a", 5, "2")], [running("b", 4, "2")]), important()) == ("n1", ["b"])


def test_then_the_smallest_sum_of_priorities_and_the_fewest_victims() -> None:
    two, one = [running("a", 5), running("b", 3)], [running("c", 5, "2")]
    assert preempted(full(two, one), important("2")) == ("n1", ["c"])


def test_then_whose_most_important_victim_has_run_for_the_shortest_time() -> None:
    old = running("old", 5, "2", started="2026-01-01T00:00:00Z")
    young = running("young", 5, "2", started="2026-01-01T00:00:01Z")
    assert preempted(full([old], [young]), important()) == ("n1", ["young"])


def test_nodes_that_fail_for_other_reasons_are_not_considered() -> None:
    decisions = Decisions(node("n0", spec={"unschedulable": True}), node("n1"))
    decisions.place(running("a", 1, "2"), "n0")
    decisions.place(running("b", 50, "2"), "n1")
    assert preempted(decisions, important()) == ("n1", ["b"])


def test_a_host_port_and_anti_affinity_can_be_preempted_for() -> None:
    listening = container(ports=[{"containerPort": 80, "hostPort": 80}])
    decisions = Decisions(node("n0"))
    decisions.place(pod(listening, name="a", priority=1), "n0")
    decisions.place(pod(name="b", priority=1, labels={"app": "b"}), "n0")
    asking = pod(listening, name="important", priority=100)
    assert preempted(decisions, asking) == ("n0", ["a"])
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "b"}}}
    away = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    assert preempted(decisions, important(affinity=away)) == ("n0", ["b"])


def test_spreading_can_be_preempted_for() -> None:
    constraint = {
        "topologyKey": "kubernetes.io/hostname",
        "maxSkew": 1,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "a"}},
    }
    decisions = Decisions(node("n0"), node("n1", cpu="100m"))
    for name in ("a", "b"):
        decisions.place(pod(name=name, priority=1, labels={"app": "a"}), "n0")
    asking = important(topologySpreadConstraints=[constraint])
    asking["metadata"]["labels"] = {"app": "a"}
    node_name, victims = preempted(decisions, asking)
    assert node_name == "n0"
    assert len(victims) == 2


def test_room_is_left_to_pods_that_wait_for_a_node_and_are_as_important() -> None:
    decisions = full([running("a", 1)])
    decisions.nominate(important("1500m", 50), "n0")
    assert decisions.feasible(running("small", 10, "500m")) == set()
    assert decisions.feasible(running("urgent", 60, "500m")) == {"n0"}


def test_while_victims_are_leaving_no_more_are_taken() -> None:
    leaving = running("a", 1, "2")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    leaving["status"]["conditions"] = [
        {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
    ]
    waiting = important()
    waiting["status"] = {"nominatedNodeName": "n0"}
    assert (
        full([leaving])
        .refusal(waiting)
        .endswith("preemption: not eligible due to a terminating pod on the nominated node.")
    )
