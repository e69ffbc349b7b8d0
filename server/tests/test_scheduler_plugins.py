"""Which nodes will do, which is best, and why not: in upstream's words."""

import pytest

from kubeling.objects.meta import Object
from server.scheduler.demand import HostPort, demand
from server.scheduler.diagnosis import Diagnosis
from server.scheduler.framework import Candidate
from server.scheduler.node_state import NodeState
from server.scheduler.plugins.balanced_allocation import BalancedAllocation
from server.scheduler.selection import select_node

NOT_HELPFUL = "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
NO_VICTIMS = "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."


def node(
    name: str = "n",
    *,
    cpu: str = "2",
    memory: str = "4Gi",
    pods: str = "110",
    labels: dict[str, str] | None = None,
    spec: Object | None = None,
) -> NodeState:
    state = NodeState(name)
    state.set_node(
        {
            "metadata": {"name": name, "labels": labels or {}},
            "spec": spec or {},
            "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": pods}},
        }
    )
    return state


def container(cpu: str = "", memory: str = "", **more: object) -> Object:
    requests = {name: text for name, text in (("cpu", cpu), ("memory", memory)) if text}
    return {"name": "c", "resources": {"requests": requests}, **more}


def pod(*containers: Object, **spec: object) -> Object:
    return {"metadata": {"name": "p", "namespace": "ns"}, "spec": {"containers": [*containers], **spec}}


def candidate(pod: Object) -> Candidate:
    return Candidate(pod, demand(pod))


def refusal(pod: Object, *nodes: NodeState) -> str:
    choice = select_node(candidate(pod), nodes)
    assert isinstance(choice, Diagnosis)
    return choice.message(preemption_policy=pod["spec"].get("preemptionPolicy", ""))


def chosen(pod: Object, *nodes: NodeState) -> str:
    choice = select_node(candidate(pod), nodes)
    assert isinstance(choice, NodeState)
    return choice.name


def occupied(state: NodeState, *pods: Object) -> NodeState:
    for number, each in enumerate(pods):
        state.add_pod(f"ns/{number}", demand(each))
    return state


def test_requests_are_the_containers_or_the_greediest_init_step_plus_overhead() -> None:
    asking = pod(
        container("100m", "1Gi"),
        container("200m"),
        initContainers=[container("50m", restartPolicy="Always"), container("1")],
        overhead={"cpu": "10m"},
    )
    assert demand(asking).requests == {"cpu": 1060, "memory": 2**30}


def test_pod_level_requests_replace_the_sum() -> None:
    asking = pod(container("1"), resources={"requests": {"cpu": "2", "memory": "1Gi"}})
    assert demand(asking).requests == {"cpu": 2000, "memory": 2**30}


def test_containers_without_requests_count_for_something_when_nodes_are_compared() -> None:
    assert demand(pod(container())).scored == {"cpu": 100, "memory": 200 * 2**20}


def test_no_nodes_at_all() -> None:
    assert refusal(pod()) == "no nodes available to schedule pods"


def test_more_than_is_left_could_be_helped_by_preemption() -> None:
    full = occupied(node(cpu="1"), pod(container("900m")))
    assert (
        refusal(pod(container("200m")), full) == f"0/1 nodes are available: 1 Insufficient cpu. {NO_VICTIMS}"
    )


def test_more_than_the_node_has_could_not() -> None:
    message = refusal(pod(container("3", "8Gi")), node())
    assert message == f"0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. {NOT_HELPFUL}"


def test_a_pod_that_never_preempts() -> None:
    message = refusal(pod(container("3"), preemptionPolicy="Never"), node())
    assert message == (
        "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never."
    )


def test_a_full_node_has_too_many_pods() -> None:
    full = occupied(node(pods="1"), pod())
    assert refusal(pod(), full) == f"0/1 nodes are available: 1 Too many pods. {NO_VICTIMS}"


def test_reasons_are_counted_over_the_nodes() -> None:
    tainted = {"taints": [{"key": "a", "effect": "NoSchedule"}]}
    message = refusal(pod(container("3")), node("a"), node("b"), node("c", cpu="8", spec=tainted))
    assert message == (
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. "
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )


@pytest.mark.parametrize(
    "toleration",
    [
        {"operator": "Exists"},
        {"key": "a", "operator": "Exists"},
        {"key": "a", "value": "x", "effect": "NoSchedule"},
        {"key": "a", "operator": "Equal", "value": "x"},
    ],
    ids=str,
)
def test_a_tolerated_taint_does_not_matter(toleration: Object) -> None:
    tainted = node(spec={"taints": [{"key": "a", "value": "x", "effect": "NoSchedule"}]})
    assert chosen(pod(tolerations=[toleration]), tainted) == "n"


@pytest.mark.parametrize(
    "toleration",
    [
        {"key": "a", "value": "y"},
        {"key": "b", "operator": "Exists"},
        {"key": "a", "value": "x", "effect": "NoExecute"},
    ],
    ids=str,
)
def test_another_taint_is_not_tolerated(toleration: Object) -> None:
    tainted = node(spec={"taints": [{"key": "a", "value": "x", "effect": "NoSchedule"}]})
    assert "untolerated taint" in refusal(pod(tolerations=[toleration]), tainted)


def test_a_cordoned_node() -> None:
    message = refusal(pod(), node(spec={"unschedulable": True}))
    assert message == f"0/1 nodes are available: 1 node(s) were unschedulable. {NOT_HELPFUL}"


def test_a_node_selector() -> None:
    nodes = node("a", labels={"disk": "hdd"}), node("b", labels={"disk": "ssd"})
    assert chosen(pod(nodeSelector={"disk": "ssd"}), *nodes) == "b"
    assert refusal(pod(nodeSelector={"disk": "none"}), nodes[0]) == (
        f"0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. {NOT_HELPFUL}"
    )


def required(*terms: Object) -> Object:
    return {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [*terms]}}
    }


def test_of_required_terms_one_must_match() -> None:
    by_label = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["x"]}]}
    by_name = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]}
    assert chosen(pod(affinity=required(by_label, by_name)), node("a"), node("b")) == "b"
    assert "affinity" in refusal(pod(affinity=required({})), node("a"))


def test_a_preferred_label_decides_among_equals() -> None:
    preference = {"matchExpressions": [{"key": "zone", "operator": "Exists"}]}
    affinity = {
        "nodeAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 10, "preference": preference}]
        }
    }
    assert chosen(pod(affinity=affinity), node("a"), node("b", labels={"zone": "z"})) == "b"


def test_a_soft_taint_is_avoided() -> None:
    soft = node("a", spec={"taints": [{"key": "a", "effect": "PreferNoSchedule"}]})
    assert chosen(pod(), soft, node("b")) == "b"
    assert chosen(pod(), soft) == "a"


def test_a_host_port_is_taken_once() -> None:
    listening = pod(container(ports=[{"containerPort": 80, "hostPort": 80}]))
    busy = occupied(node(), listening)
    text = "1 node(s) didn't have free ports for the requested pod ports"
    assert refusal(listening, busy) == f"0/1 nodes are available: {text}. {NO_VICTIMS}"


def test_host_ports_differ_by_protocol_and_address() -> None:
    everywhere = HostPort("TCP", 80, "0.0.0.0")
    assert everywhere.conflicts(HostPort("TCP", 80, "127.0.0.1"))
    assert not everywhere.conflicts(HostPort("UDP", 80, "0.0.0.0"))
    assert not HostPort("TCP", 80, "127.0.0.2").conflicts(HostPort("TCP", 80, "127.0.0.1"))


def test_the_emptier_node_is_preferred() -> None:
    assert chosen(pod(container("100m")), occupied(node("a"), pod(container("1", "2Gi"))), node("b")) == "b"


def test_using_cpu_and_memory_in_equal_parts_scores_best() -> None:
    asking = candidate(pod(container("1", "2Gi")))
    scores = BalancedAllocation().score(asking, [node("even"), node("uneven", memory="40Gi")])
    assert scores["even"] == 100
    assert scores["uneven"] == pytest.approx(77.5)


def test_a_pod_that_leaves_gives_back_what_it_took() -> None:
    state = occupied(node(cpu="1"), pod(container("1")))
    state.remove_pod("ns/0")
    assert chosen(pod(container("1")), state) == "n"
