"""Pods near others and away from them, and how that counts when nodes are compared."""

import pytest

from kubeling.objects.meta import Object
from server.scheduler.framework import Action, ClusterEvent
from server.tests.decisions import Decisions, node, pod, zoned

ZONE = "topology.kubernetes.io/zone"
HOST = "kubernetes.io/hostname"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def term(key: str = ZONE, **labels: str) -> Object:
    return {"topologyKey": key, "labelSelector": {"matchLabels": labels}}


def near(*terms: Object) -> Object:
    return {"podAffinity": {REQUIRED: [*terms]}}


def away(*terms: Object) -> Object:
    return {"podAntiAffinity": {REQUIRED: [*terms]}}


def three() -> Decisions:
    """Two nodes in zone x, one in zone y; a web pod on x1."""
    decisions = Decisions(zoned("x1", "x"), zoned("x2", "x"), zoned("y1", "y"))
    decisions.place(pod(name="web", labels={"app": "web"}), "x1")
    return decisions


def test_a_pod_goes_where_the_pods_are_that_it_wants_to_be_near() -> None:
    assert three().feasible(pod(affinity=near(term(app="web")))) == {"x1", "x2"}
    assert three().feasible(pod(affinity=near(term(HOST, app="web")))) == {"x1"}


def test_nobody_to_be_near_to() -> None:
    assert three().refusal(pod(affinity=near(term(app="db")))) == (
        "0/3 nodes are available: 3 node(s) didn't match pod affinity rules. "
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )


def test_the_first_of_pods_that_want_to_be_together_may_go_anywhere() -> None:
    decisions = three()
    first = pod(labels={"app": "db"}, affinity=near(term(app="db")))
    assert decisions.feasible(first) == {"x1", "x2", "y1"}
    decisions.place({**first, "metadata": {**first["metadata"], "name": "first"}}, "y1")
    assert decisions.feasible(first) == {"y1"}


def test_all_terms_must_be_met_by_the_same_pod() -> None:
    decisions = three()
    decisions.place(pod(name="both", labels={"app": "web", "tier": "front"}), "y1")
    assert decisions.feasible(pod(affinity=near(term(app="web"), term(tier="front")))) == {"y1"}


def test_a_pod_stays_away() -> None:
    assert three().feasible(pod(affinity=away(term(app="web")))) == {"y1"}
    assert three().feasible(pod(affinity=away(term(HOST, app="web")))) == {"x2", "y1"}
    decisions = Decisions(node())
    decisions.place(pod(name="web", labels={"app": "web"}), "n")
    assert decisions.refusal(pod(affinity=away(term(HOST, app="web")))) == (
        "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules. "
        "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
    )


def test_pods_that_run_keep_others_away() -> None:
    decisions = three()
    decisions.place(pod(name="shy", affinity=away(term(app="loud"))), "y1")
    assert decisions.feasible(pod(labels={"app": "loud"})) == {"x1", "x2"}
    decisions.cluster.remove_pod("ns/shy")
    assert decisions.feasible(pod(labels={"app": "loud"})) == {"x1", "x2", "y1"}


def test_pods_that_run_and_are_not_to_be_disturbed() -> None:
    decisions = Decisions(node())
    decisions.place(pod(name="shy", affinity=away(term(HOST, app="loud"))), "n")
    assert "node(s) didn't satisfy existing pods anti-affinity rules" in decisions.refusal(
        pod(labels={"app": "loud"})
    )


def test_terms_are_about_the_pods_own_namespace_unless_they_name_others() -> None:
    decisions = three()
    other = pod(affinity=near(term(app="web")))
    other["metadata"]["namespace"] = "elsewhere"
    assert decisions.feasible(other) == set()
    other["spec"]["affinity"] = near({**term(app="web"), "namespaces": ["ns"]})
    assert decisions.feasible(other) == {"x1", "x2"}


def test_a_namespace_selector_finds_namespaces_by_label() -> None:
    decisions = three()
    other = pod(affinity=near({**term(app="web"), "namespaceSelector": {"matchLabels": {"team": "a"}}}))
    other["metadata"]["namespace"] = "elsewhere"
    assert decisions.feasible(other) == set()
    decisions.put({"kind": "Namespace", "metadata": {"name": "ns", "labels": {"team": "a"}}})
    assert decisions.feasible(other) == {"x1", "x2"}
    other["spec"]["affinity"] = near({**term(app="web"), "namespaceSelector": {}})
    assert decisions.feasible(other) == {"x1", "x2"}


def test_a_node_without_the_label_has_no_domain() -> None:
    decisions = Decisions(node("bare"), zoned("x1", "x"))
    decisions.place(pod(name="web", labels={"app": "web"}), "bare")
    assert decisions.feasible(pod(affinity=near(term(app="web")))) == set()
    assert decisions.feasible(pod(affinity=away(term(app="web")))) == {"bare", "x1"}


def test_counts_follow_a_node_whose_label_changes() -> None:
    decisions = three()
    asking = pod(affinity=near(term(app="web")))
    assert decisions.feasible(asking) == {"x1", "x2"}
    decisions.put(zoned("x1", "y"))
    assert decisions.feasible(asking) == {"x1", "y1"}


def preferred(weight: int, wanted: Object, kind: str = "podAffinity") -> Object:
    return {kind: {PREFERRED: [{"weight": weight, "podAffinityTerm": wanted}]}}


def test_preferences_of_the_pod_and_of_those_that_run_add_up() -> None:
    decisions = three()
    assert decisions.scores(pod(affinity=preferred(5, term(app="web"))), "InterPodAffinity") == {
        "x1": 100,
        "x2": 100,
        "y1": 0,
    }
    avoiding = preferred(5, term(app="web"), "podAntiAffinity")
    assert decisions.scores(pod(affinity=avoiding), "InterPodAffinity") == {"x1": 0, "x2": 0, "y1": 100}
    decisions.place(pod(name="fan", affinity=preferred(10, term(HOST, app="star"))), "x2")
    assert decisions.scores(pod(labels={"app": "star"}), "InterPodAffinity") == {
        "x1": 0,
        "x2": 100,
        "y1": 0,
    }


def test_required_affinity_of_pods_that_run_attracts_with_the_hard_weight() -> None:
    decisions = three()
    decisions.place(pod(name="friend", affinity=near(term(app="web"))), "x2")
    assert decisions.scores(pod(labels={"app": "web"}), "InterPodAffinity") == {"x1": 100, "x2": 100, "y1": 0}


def test_a_pod_that_nobody_cares_about_is_not_scored() -> None:
    assert three().scores(pod(), "InterPodAffinity") == {}


@pytest.mark.parametrize(
    ("asking", "other", "action", "helps"),
    [
        (pod(affinity=near(term(app="web"))), pod(labels={"app": "web"}), Action.ADD, True),
        (pod(affinity=near(term(app="web"))), pod(labels={"app": "db"}), Action.ADD, False),
        (pod(affinity=away(term(app="web"))), pod(labels={"app": "web"}), Action.DELETE, True),
        (pod(affinity=away(term(app="web"))), pod(labels={"app": "db"}), Action.DELETE, False),
        (pod(labels={"app": "a"}), pod(affinity=away(term(app="a"))), Action.DELETE, True),
        (pod(labels={"app": "b"}), pod(affinity=away(term(app="a"))), Action.DELETE, False),
    ],
)
def test_which_pods_wake_a_pod(asking: Object, other: Object, action: Action, helps: bool) -> None:
    gone = action is Action.DELETE
    event = ClusterEvent("AssignedPod", action, other if gone else None, None if gone else other)
    assert Decisions().wakes(asking, "InterPodAffinity", event) is helps
