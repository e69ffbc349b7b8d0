"""Pods spread over domains: as they must be, as they had better be, and by default."""

from typing import Any

from kubeling.objects.meta import Object
from server.scheduler.framework import Action, ClusterEvent
from server.tests.decisions import Decisions, node, pod, zoned

ZONE = "topology.kubernetes.io/zone"
HOST = "kubernetes.io/hostname"
APP = {"app": "a"}


def constraint(key: str = ZONE, skew: int = 1, **more: Any) -> Object:
    return {
        "topologyKey": key,
        "maxSkew": skew,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": APP},
        **more,
    }


def spread(*constraints: Object, name: str = "p", **spec: Any) -> Object:
    return pod(name=name, labels=APP, topologySpreadConstraints=[*constraints], **spec)


def replica(name: str) -> Object:
    return pod(name=name, labels=APP)


def zones(*counts: int, nodes: int = 1) -> Decisions:
    """So many pods in each of the zones a, b, c, ...; of `nodes` nodes the first has them."""
    letters = "abcdef"[: len(counts)]
    decisions = Decisions(*(zoned(f"{letter}{i}", letter) for letter in letters for i in range(nodes)))
    for letter, count in zip(letters, counts, strict=True):
        for number in range(count):
            decisions.place(replica(f"{letter}-{number}"), f"{letter}0")
    return decisions


def test_the_skew_is_kept_within_its_limit() -> None:
    assert zones(1, 0).feasible(spread(constraint())) == {"b0"}
    assert zones(1, 1).feasible(spread(constraint())) == {"a0", "b0"}
    assert zones(2, 0).feasible(spread(constraint(skew=3))) == {"a0", "b0"}


def test_several_constraints_hold_together() -> None:
    decisions = zones(2, 1, nodes=2)
    assert decisions.feasible(spread(constraint())) == {"b0", "b1"}
    assert decisions.feasible(spread(constraint(), constraint(HOST))) == {"b1"}


def test_too_much_skew_in_words() -> None:
    decisions = Decisions(zoned("a", "a", pods="1"), zoned("b", "b"))
    for number in range(2):
        decisions.place(replica(str(number)), "b")
    assert decisions.refusal(
        spread(constraint(nodeAffinityPolicy="Ignore"), nodeSelector={HOST: "b"})
    ).startswith(
        "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, "
        "1 node(s) didn't match pod topology spread constraints."
    )


def test_a_node_without_the_label() -> None:
    assert Decisions(node()).refusal(spread(constraint())) == (
        "0/1 nodes are available: 1 node(s) didn't match pod topology spread constraints "
        "(missing required label). "
        "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    )


def test_by_default_nodes_count_that_the_pods_node_affinity_selects() -> None:
    decisions = zones(1, 0)
    only_a = {ZONE: "a"}
    assert decisions.feasible(spread(constraint(), nodeSelector=only_a)) == {"a0"}
    assert decisions.feasible(spread(constraint(nodeAffinityPolicy="Ignore"), nodeSelector=only_a)) == set()


def test_tainted_nodes_count_unless_taints_are_honoured() -> None:
    decisions = zones(1, 0)
    taints = {"taints": [{"key": "x", "effect": "NoSchedule"}]}
    decisions.put(zoned("b0", "b", spec=taints))
    assert decisions.feasible(spread(constraint())) == set()
    assert decisions.feasible(spread(constraint(nodeTaintsPolicy="Honor"))) == {"a0"}


def test_with_fewer_domains_than_wanted_none_may_have_more_than_the_skew() -> None:
    assert zones(1, 1).feasible(spread(constraint(minDomains=3))) == set()
    assert zones(1, 1, 0).feasible(spread(constraint(minDomains=3))) == {"c0"}


def test_pods_on_their_way_out_and_in_other_namespaces_do_not_count() -> None:
    decisions = zones(0, 0)
    leaving, foreign = replica("leaving"), replica("foreign")
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    foreign["metadata"]["namespace"] = "elsewhere"
    decisions.place(leaving, "a0")
    decisions.place(foreign, "a0")
    assert decisions.feasible(spread(constraint())) == {"a0", "b0"}


def test_a_soft_constraint_prefers_what_is_emptier() -> None:
    soft = spread(constraint(whenUnsatisfiable="ScheduleAnyway"))
    assert zones(2, 0).feasible(soft) == {"a0", "b0"}
    assert zones(2, 0).scores(soft, "PodTopologySpread") == {"a0": 0, "b0": 100}
    assert zones(0, 0).scores(soft, "PodTopologySpread") == {"a0": 100, "b0": 100}


def test_nodes_without_the_label_score_nothing() -> None:
    decisions = zones(1, 0)
    decisions.put(node("bare"))
    soft = spread(constraint(whenUnsatisfiable="ScheduleAnyway"))
    assert decisions.scores(soft, "PodTopologySpread") == {"a0": 0, "b0": 100, "bare": 0}


def test_pods_of_a_service_are_spread_by_default() -> None:
    service = {
        "kind": "Service",
        "metadata": {"name": "s", "namespace": "ns"},
        "spec": {"selector": APP},
    }
    decisions = Decisions(service, zoned("a0", "a"), zoned("b0", "b"))
    decisions.place(replica("0"), "a0")
    scores = decisions.scores(replica("p"), "PodTopologySpread")
    assert scores["b0"] > scores["a0"]
    assert decisions.scores(pod(), "PodTopologySpread") == {}


def test_replicas_are_spread_by_default_over_hosts_even_without_zones() -> None:
    owner = {
        "kind": "ReplicaSet",
        "metadata": {"name": "rs", "namespace": "ns"},
        "spec": {"selector": {"matchLabels": APP}},
    }
    decisions = Decisions(owner, node("a"), node("b"))
    asking = replica("p")
    reference = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "rs", "uid": "u", "controller": True}
    asking["metadata"]["ownerReferences"] = [reference]
    decisions.place(replica("0"), "a")
    assert decisions.chosen(asking) == "b"


def test_constraints_of_the_configuration_take_the_place_of_the_default() -> None:
    hard = {"topologyKey": ZONE, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
    args = {"defaultingType": "List", "defaultConstraints": [hard]}
    configuration = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "profiles": [{"pluginConfig": [{"name": "PodTopologySpread", "args": args}]}],
    }
    service = {"kind": "Service", "metadata": {"name": "s", "namespace": "ns"}, "spec": {"selector": APP}}
    decisions = Decisions(service, zoned("a0", "a"), zoned("b0", "b"), configuration=configuration)
    decisions.place(replica("0"), "a0")
    assert decisions.feasible(replica("p")) == {"b0"}


def test_which_pods_wake_one_that_is_to_be_spread() -> None:
    asking = spread(constraint())
    for other, helps in ((replica("0"), True), (pod(labels={"app": "b"}), False)):
        assert (
            Decisions().wakes(
                asking, "PodTopologySpread", ClusterEvent("AssignedPod", Action.DELETE, other, None)
            )
            is helps
        )
