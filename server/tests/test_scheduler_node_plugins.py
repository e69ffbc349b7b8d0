"""What nodes' own state decides: names, labels, taints, ports, resources; and why not, in upstream's
words."""

import pytest

from kubeling.objects.meta import Object
from server.scheduler.demand import HostPort, demand
from server.scheduler.framework import Action, ClusterEvent
from server.tests.decisions import Decisions, container, node, pod

NOT_HELPFUL = "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
NO_VICTIMS = "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."


TAINTED = node(spec={"taints": [{"key": "a", "effect": "NoExecute"}]})


def occupied(name: str, *occupants: Object, cpu: str = "2", pods: str = "110") -> Decisions:
    decisions = Decisions(node(name, cpu=cpu, pods=pods))
    for number, each in enumerate(occupants):
        named = {**each, "metadata": {**each["metadata"], "name": str(number), "uid": str(number)}}
        decisions.place(named, name)
    return decisions


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


def test_while_it_is_resized_a_pod_takes_the_larger_of_what_it_wants_and_what_it_has() -> None:
    resized = pod(container("1"))
    for cpu, taken in (("500m", 1000), ("2", 2000)):
        resized["status"] = {"containerStatuses": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]}
        assert demand(resized).requests == {"cpu": taken}
    resized["status"]["containerStatuses"][0]["resources"]["requests"] = {"cpu": "500m"}
    resized["status"]["containerStatuses"][0]["allocatedResources"] = {"cpu": "1500m"}
    assert demand(resized).requests == {"cpu": 1500}


def test_a_resize_that_the_node_never_can_follow_takes_nothing() -> None:
    asking = pod(container("5"), initContainers=[{**container("2", restartPolicy="Always"), "name": "side"}])
    told = {"type": "PodResizePending", "status": "True", "reason": "Infeasible"}
    main, side = ({"name": name, "resources": {"requests": {"cpu": "1"}}} for name in ("c", "side"))
    asking["status"] = {"containerStatuses": [main], "initContainerStatuses": [side]}
    assert demand(asking).requests == {"cpu": 7000}
    asking["status"]["conditions"] = [told]
    assert demand(asking).requests == {"cpu": 2000}


def test_what_the_pod_itself_has_counts_until_it_is_resized() -> None:
    asking = pod(container(), resources={"requests": {"cpu": "1"}})
    asking["status"] = {
        "containerStatuses": [{"name": "c", "resources": {}}],
        "allocatedResources": {"cpu": "1"},
        "resources": {"requests": {"cpu": "2"}},
    }
    assert demand(asking).requests == {"cpu": 2000}


def test_containers_without_requests_count_for_something_when_nodes_are_compared() -> None:
    assert demand(pod(container())).scored == {"cpu": 100, "memory": 200 * 2**20}


def test_no_nodes_at_all() -> None:
    assert Decisions().refusal(pod()) == "no nodes available to schedule pods"


def test_more_than_is_left_could_be_helped_by_preemption() -> None:
    full = occupied("n", pod(container("900m")), cpu="1")
    assert full.refusal(pod(container("200m"))) == (
        f"0/1 nodes are available: 1 Insufficient cpu. {NO_VICTIMS}"
    )


def test_more_than_the_node_has_could_not() -> None:
    message = Decisions(node()).refusal(pod(container("3", "8Gi")))
    assert message == f"0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory. {NOT_HELPFUL}"


def test_an_extended_resource() -> None:
    asking = pod({"name": "c", "resources": {"requests": {"example.com/gpu": "2"}}})
    assert Decisions(node(extended={"example.com/gpu": "2"})).feasible(asking) == {"n"}
    message = Decisions(node(extended={"example.com/gpu": "1"})).refusal(asking)
    assert message == f"0/1 nodes are available: 1 Insufficient example.com/gpu. {NOT_HELPFUL}"


def test_a_pod_that_never_preempts() -> None:
    message = Decisions(node()).refusal(pod(container("3"), preemptionPolicy="Never"))
    assert message == (
        "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never."
    )


def test_a_full_node_has_too_many_pods() -> None:
    full = occupied("n", pod(), pods="1")
    assert full.refusal(pod()) == f"0/1 nodes are available: 1 Too many pods. {NO_VICTIMS}"


def test_reasons_are_counted_over_the_nodes() -> None:
    tainted = {"taints": [{"key": "a", "effect": "NoSchedule"}]}
    decisions = Decisions(node("a"), node("b"), node("c", cpu="8", spec=tainted))
    assert decisions.refusal(pod(container("3"))) == (
        "0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. "
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )


def test_a_taint_is_reported_before_what_the_node_lacks() -> None:
    tainted = {"taints": [{"key": "a", "effect": "NoSchedule"}]}
    refusal = Decisions(node(cpu="1", pods="0", spec=tainted)).refusal(pod(container("3")))
    assert refusal == f"0/1 nodes are available: 1 node(s) had untolerated taint(s). {NOT_HELPFUL}"


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
    assert Decisions(tainted).feasible(pod(tolerations=[toleration])) == {"n"}


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
    assert "untolerated taint" in Decisions(tainted).refusal(pod(tolerations=[toleration]))


def test_a_cordoned_node() -> None:
    cordoned = Decisions(node(spec={"unschedulable": True}))
    assert cordoned.refusal(pod()) == f"0/1 nodes are available: 1 node(s) were unschedulable. {NOT_HELPFUL}"
    key = "node.kubernetes.io/unschedulable"
    assert cordoned.feasible(pod(tolerations=[{"key": key, "operator": "Exists"}])) == {"n"}


def test_a_node_selector() -> None:
    decisions = Decisions(node("a", labels={"disk": "hdd"}), node("b", labels={"disk": "ssd"}))
    assert decisions.feasible(pod(nodeSelector={"disk": "ssd"})) == {"b"}
    assert Decisions(node()).refusal(pod(nodeSelector={"disk": "none"})) == (
        f"0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. {NOT_HELPFUL}"
    )


def required(*terms: Object) -> Object:
    return {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [*terms]}}
    }


def by_name(name: str) -> Object:
    return {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]}


def test_of_required_terms_one_must_match() -> None:
    by_label = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["x"]}]}
    decisions = Decisions(node("a"), node("b"), node("c", labels={"zone": "x"}))
    assert decisions.feasible(pod(affinity=required(by_label, by_name("b")))) == {"b", "c"}
    assert "affinity" in decisions.refusal(pod(affinity=required({})))


def test_a_pod_for_one_named_node_looks_at_no_other() -> None:
    decisions = Decisions(node("a", spec={"unschedulable": True}), node("b"), node("c"))
    assert decisions.refusal(pod(affinity=required(by_name("a")))).startswith(
        "0/3 nodes are available: 1 node(s) were unschedulable, "
        "2 node(s) didn't satisfy plugin(s) [NodeAffinity]."
    )


@pytest.mark.parametrize(
    ("operator", "values", "matching"),
    [
        ("In", ["4", "8"], {"four", "eight"}),
        ("NotIn", ["4"], {"eight", "none"}),
        ("Exists", None, {"four", "eight"}),
        ("DoesNotExist", None, {"none"}),
        ("Gt", ["4"], {"eight"}),
        ("Lt", ["8"], {"four"}),
    ],
)
def test_operators(operator: str, values: list[str] | None, matching: set[str]) -> None:
    expression = {"key": "cores", "operator": operator} | ({"values": values} if values else {})
    nodes = node("four", labels={"cores": "4"}), node("eight", labels={"cores": "8"}), node("none")
    assert Decisions(*nodes).feasible(pod(affinity=required({"matchExpressions": [expression]}))) == matching


def test_a_preferred_label_decides_among_equals() -> None:
    preference = {"matchExpressions": [{"key": "zone", "operator": "Exists"}]}
    preferred = [{"weight": 10, "preference": preference}, {"weight": 5, "preference": {}}]
    affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
    decisions = Decisions(node("a"), node("b", labels={"zone": "z"}))
    assert decisions.chosen(pod(affinity=affinity)) == "b"
    assert decisions.scores(pod(affinity=affinity), "NodeAffinity") == {"a": 0, "b": 100}


def test_a_soft_taint_is_avoided() -> None:
    soft = node("a", spec={"taints": [{"key": "a", "effect": "PreferNoSchedule"}]})
    assert Decisions(soft, node("b")).chosen(pod()) == "b"
    assert Decisions(soft).chosen(pod()) == "a"
    assert Decisions(soft, node("b")).scores(pod(), "TaintToleration") == {"a": 0, "b": 100}


def test_a_host_port_is_taken_once() -> None:
    listening = pod(container(ports=[{"containerPort": 80, "hostPort": 80}]))
    text = "1 node(s) didn't have free ports for the requested pod ports"
    busy = occupied("n", listening)
    assert busy.refusal(listening) == f"0/1 nodes are available: {text}. {NO_VICTIMS}"


def test_host_ports_differ_by_protocol_and_address() -> None:
    everywhere = HostPort("TCP", 80, "0.0.0.0")
    assert everywhere.conflicts(HostPort("TCP", 80, "127.0.0.1"))
    assert not everywhere.conflicts(HostPort("UDP", 80, "0.0.0.0"))
    assert not HostPort("TCP", 80, "127.0.0.2").conflicts(HostPort("TCP", 80, "127.0.0.1"))


def test_the_emptier_node_is_preferred() -> None:
    decisions = Decisions(node("a"), node("b"))
    decisions.place(pod(container("1", "2Gi"), name="other"), "a")
    assert decisions.chosen(pod(container("100m"))) == "b"
    assert decisions.scores(pod(container("1", "2Gi")), "NodeResourcesFit") == {"a": 0, "b": 50}


def configured(plugin: str, **args: object) -> Object:
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "profiles": [{"pluginConfig": [{"name": plugin, "args": args}]}],
    }


def test_most_allocated_packs_nodes() -> None:
    packing = configured("NodeResourcesFit", scoringStrategy={"type": "MostAllocated"})
    decisions = Decisions(node("a"), node("b"), configuration=packing)
    decisions.place(pod(container("1", "2Gi"), name="other"), "a")
    assert decisions.scores(pod(container("500m", "1Gi")), "NodeResourcesFit") == {"a": 75, "b": 25}


def test_requested_to_capacity_ratio_follows_its_shape() -> None:
    shape = [
        {"utilization": 0, "score": 10},
        {"utilization": 50, "score": 0},
        {"utilization": 100, "score": 5},
    ]
    strategy = {
        "type": "RequestedToCapacityRatio",
        "resources": [{"name": "cpu", "weight": 1}],
        "requestedToCapacityRatio": {"shape": shape},
    }
    decisions = Decisions(node(), configuration=configured("NodeResourcesFit", scoringStrategy=strategy))
    scores = [
        decisions.scores(pod(container(cpu)), "NodeResourcesFit")["n"] for cpu in ("500m", "1", "1500m", "2")
    ]
    assert scores == [50, 0, 25, 50]


def test_using_cpu_and_memory_in_equal_parts_scores_best() -> None:
    decisions = Decisions(node("even"), node("uneven", memory="40Gi"))
    scores = decisions.scores(pod(container("1", "2Gi")), "NodeResourcesBalancedAllocation")
    assert scores == {"even": 100, "uneven": 77}


def test_balance_says_nothing_of_a_pod_without_requests() -> None:
    assert Decisions(node()).scores(pod(), "NodeResourcesBalancedAllocation") == {}


def test_images_that_are_there_count_by_size_and_by_how_many_nodes_have_them() -> None:
    large = {"names": ["busybox:latest"], "sizeBytes": 1000 * 2**20}
    decisions = Decisions(node("a", images=[large]), node("b"))
    scores = decisions.scores(pod(container(image="busybox")), "ImageLocality")
    assert scores == {"a": 100 * (500 - 23) // (1000 - 23), "b": 0}


def test_a_pod_that_leaves_gives_back_what_it_took() -> None:
    decisions = occupied("n", pod(container("1")), cpu="1")
    decisions.cluster.remove_pod("ns/0")
    assert decisions.feasible(pod(container("1"))) == {"n"}


def test_what_is_remembered_of_a_node_is_forgotten_when_it_changes() -> None:
    decisions = Decisions(node("a"), node("b"))
    assert decisions.feasible(pod()) == {"a", "b"}
    decisions.put(node("a", spec={"unschedulable": True}))
    assert decisions.feasible(pod()) == {"b"}
    decisions.put(node("a"))
    assert decisions.feasible(pod()) == {"a", "b"}


def test_of_many_nodes_a_part_is_enough_and_the_zones_take_turns() -> None:
    nodes = [node(f"n{i}", labels={"topology.kubernetes.io/zone": f"z{i % 2}"}) for i in range(1000)]
    found = Decisions(*nodes).feasible(pod())
    assert len(found) == 100
    assert sum(int(name[1:]) % 2 for name in found) == 50


@pytest.mark.parametrize(
    ("plugin", "asking", "before", "after", "helps"),
    [
        ("NodeResourcesFit", pod(container("4")), node(), node(cpu="8"), True),
        ("NodeResourcesFit", pod(container("4")), node(), node(cpu="3"), False),
        ("NodeResourcesFit", pod(container("4")), None, node(cpu="4"), True),
        ("NodeAffinity", pod(nodeSelector={"a": "b"}), node(), node(labels={"a": "b"}), True),
        ("NodeAffinity", pod(nodeSelector={"a": "b"}), node(), node(labels={"a": "c"}), False),
        ("NodeUnschedulable", pod(), node(spec={"unschedulable": True}), node(), True),
        (
            "TaintToleration",
            pod(),
            node(),
            TAINTED,
            False,
        ),
        (
            "TaintToleration",
            pod(),
            TAINTED,
            node(),
            True,
        ),
    ],
)
def test_which_changes_of_nodes_wake_a_pod(
    plugin: str, asking: Object, before: Object | None, after: Object, helps: bool
) -> None:
    actions = Action.ADD if before is None else Action.ALLOCATABLE | Action.LABELS | Action.TAINTS
    event = ClusterEvent("Node", actions, before, after)
    assert Decisions().wakes(asking, plugin, event) is helps


def test_a_pod_that_frees_the_port_wakes_who_waits_for_it() -> None:
    def listening(port: int) -> Object:
        return pod(container(ports=[{"containerPort": 80, "hostPort": port}]))

    gone = ClusterEvent("AssignedPod", Action.DELETE, listening(80), None)
    assert Decisions().wakes(listening(80), "NodePorts", gone)
    assert not Decisions().wakes(listening(81), "NodePorts", gone)
