"""Which nodes take a pod, as upstream's own suite asks."""

from typing import Any

import pytest

from conformance import pods
from conformance.rest import Rest
from conformance.space import Space
from conformance.spare_nodes import Spare, spare

Object = dict[str, Any]
HOST = "kubernetes.io/hostname"


def requests(**amounts: str) -> Object:
    named = {name.replace("__", "/").replace("_", "."): amount for name, amount in amounts.items()}
    return {"resources": {"requests": named, "limits": named}}


def refused(space: Space, name: str) -> str:
    """Why the pod is not scheduled, as the event and the condition both say."""
    message: str = space.event(name, "FailedScheduling")["message"]

    def unschedulable(pod: Object) -> bool:
        condition = pods.condition(pod, "PodScheduled")
        return condition.get("reason") == "Unschedulable" and condition.get("message") == message

    space.until(name, unschedulable, what="says why it is not scheduled")
    return message


def node_of(space: Space, name: str) -> str:
    scheduled = lambda pod: pod["spec"].get("nodeName")  # noqa: E731
    return str(space.until(name, scheduled, what="is scheduled")["spec"]["nodeName"])


def test_resource_limits_are_respected(virtual_space: Space) -> None:
    with spare(virtual_space, cpu="1") as (node,):
        virtual_space.run_ready("filler", container=requests(cpu="700m"), **node.here())
        virtual_space.run("too-much", container=requests(cpu="400m"), **node.here())
        message = refused(virtual_space, "too-much")
        assert "1 Insufficient cpu" in message, message
        assert "1 No preemption victims found for incoming pod" in message, message
        virtual_space.remove_pod("filler")
        virtual_space.ready("too-much")


def test_the_overhead_of_a_runtime_class_counts(virtual_space: Space) -> None:
    path, name = "/apis/node.k8s.io/v1/runtimeclasses", f"overhead-{virtual_space.name}"
    runtime = {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": name},
        "handler": "runc",
        "overhead": {"podFixed": {"example.com/beardsecond": "250"}},
    }
    virtual_space.rest.post(path, runtime)
    try:
        with spare(virtual_space) as (node,):
            node.offer(example_com__beardsecond="1k")
            filler = requests(example_com__beardsecond="600")
            virtual_space.run("filler", container=filler, runtimeClassName=name, **node.here())
            assert node_of(virtual_space, "filler") == node.name
            more = requests(example_com__beardsecond="200")
            virtual_space.run("additional", container=more, **node.here())
            assert "1 Insufficient example.com/beardsecond" in refused(virtual_space, "additional")
    finally:
        virtual_space.rest.delete(f"{path}/{name}")


def test_a_node_selector_that_matches(virtual_space: Space) -> None:
    with spare(virtual_space, labels={"conformance/colour": "red"}) as (node,):
        selector = {"conformance/colour": "red"}
        virtual_space.run_ready("matching", nodeSelector=selector, tolerations=[node.toleration])
        assert node_of(virtual_space, "matching") == node.name


def test_a_node_selector_that_does_not_match(virtual_space: Space) -> None:
    virtual_space.run("picky", nodeSelector={"conformance/none": "x"})
    assert "node(s) didn't match Pod's node affinity/selector" in refused(virtual_space, "picky")


def test_node_affinity(virtual_space: Space) -> None:
    with spare(virtual_space, labels={"conformance/colour": "blue"}) as (node,):
        expression = {"key": "conformance/colour", "operator": "In", "values": ["blue", "green"]}
        affinity = required_node(expression)
        virtual_space.run_ready("matching", affinity=affinity, tolerations=[node.toleration])
        assert node_of(virtual_space, "matching") == node.name
    neither = required_node({"key": "conformance/none", "operator": "In", "values": ["x"]})
    virtual_space.run("picky", affinity=neither)
    assert "node(s) didn't match Pod's node affinity/selector" in refused(virtual_space, "picky")


def required_node(expression: Object) -> Object:
    terms = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}}


def test_a_preferred_node(virtual_space: Space) -> None:
    with spare(virtual_space, count=2) as nodes:
        nodes[1].label(**{"conformance/preferred": "yes"})
        preference = {"matchExpressions": [{"key": "conformance/preferred", "operator": "Exists"}]}
        preferred = [{"weight": 100, "preference": preference}]
        affinity = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}
        virtual_space.run_ready("choosy", affinity=affinity, **nodes[0].among())
        assert node_of(virtual_space, "choosy") == nodes[1].name


def test_taints_that_are_tolerated_and_not(virtual_space: Space) -> None:
    with spare(virtual_space) as (node,):
        selector = {HOST: node.name}
        virtual_space.run("intolerant", nodeSelector=selector)
        assert "untolerated taint" in refused(virtual_space, "intolerant")
        exact = {"key": "conformance/spare", "operator": "Equal", "value": virtual_space.name}
        virtual_space.run_ready("tolerant", nodeSelector=selector, tolerations=[exact])
        node.rest.patch(node.path, {"spec": {"taints": None}})
        virtual_space.ready("intolerant")


def port(number: int, address: str = "", protocol: str = "TCP") -> Object:
    chosen = {"containerPort": 8080, "hostPort": number, "protocol": protocol}
    return {"ports": [chosen | ({"hostIP": address} if address else {})]}


def test_one_host_port_with_other_addresses_and_protocols(virtual_space: Space) -> None:
    with spare(virtual_space) as (node,):
        virtual_space.run_ready("first", container=port(54323, "127.0.0.1"), **node.here())
        virtual_space.run_ready("second", container=port(54323, "127.0.0.2"), **node.here())
        virtual_space.run_ready("third", container=port(54323, "127.0.0.2", "UDP"), **node.here())


def test_one_host_port_for_all_addresses_conflicts_with_any(virtual_space: Space) -> None:
    with spare(virtual_space) as (node,):
        virtual_space.run_ready("everywhere", container=port(54322), **node.here())
        virtual_space.run("local", container=port(54322, "127.0.0.1"), **node.here())
        message = refused(virtual_space, "local")
        assert "1 node(s) didn't have free ports for the requested pod ports" in message, message


HOSTNAMES = {"topologyKey": HOST, "labelSelector": {"matchLabels": {"app": "a"}}}


def run_labelled(space: Space, name: str, node: Spare, labels: Object, **spec: Any) -> None:
    main = pods.container(space.image)
    pod = pods.pod(name, main, **{**node.among(), **spec})
    pod["metadata"]["labels"] = labels
    space.create(pod)


def test_pods_stay_together(virtual_space: Space) -> None:
    near = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [HOSTNAMES]}}
    with spare(virtual_space, count=2) as nodes:
        for name in ("first", "second", "third"):
            run_labelled(virtual_space, name, nodes[0], {"app": "a"}, affinity=near)
        assert len({node_of(virtual_space, name) for name in ("first", "second", "third")}) == 1
        run_labelled(virtual_space, "lonely", nodes[0], {"app": "b"}, affinity=near_to("nobody"))
        assert "node(s) didn't match pod affinity rules" in refused(virtual_space, "lonely")


def near_to(app: str) -> Object:
    term = {"topologyKey": HOST, "labelSelector": {"matchLabels": {"app": app}}}
    return {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def test_pods_stay_apart(virtual_space: Space) -> None:
    away = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [HOSTNAMES]}}
    with spare(virtual_space, count=2) as nodes:
        for name in ("first", "second"):
            run_labelled(virtual_space, name, nodes[0], {"app": "a"}, affinity=away)
        assert {node_of(virtual_space, name) for name in ("first", "second")} == {each.name for each in nodes}
        run_labelled(virtual_space, "third", nodes[0], {"app": "a"}, affinity=away)
        assert "2 node(s) didn't match pod anti-affinity rules" in refused(virtual_space, "third")
        run_labelled(virtual_space, "other", nodes[0], {"app": "b"})
        node_of(virtual_space, "other")
        virtual_space.remove_pod("first")
        node_of(virtual_space, "third")


def test_pods_are_not_put_beside_those_that_do_not_want_them(virtual_space: Space) -> None:
    away = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [HOSTNAMES]}}
    with spare(virtual_space) as (node,):
        run_labelled(virtual_space, "shy", node, {}, affinity=away)
        node_of(virtual_space, "shy")
        run_labelled(virtual_space, "loud", node, {"app": "a"})
        message = refused(virtual_space, "loud")
        assert "1 node(s) didn't satisfy existing pods anti-affinity rules" in message, message


@pytest.mark.parametrize("when", ["DoNotSchedule", "ScheduleAnyway"])
def test_four_pods_are_evenly_distributed_over_two_nodes(virtual_space: Space, when: str) -> None:
    with spare(virtual_space, count=2) as nodes:
        for position, node in enumerate(nodes):
            node.label(**{"conformance/domain": f"{virtual_space.name}-{position}"})
        constraint = {
            **HOSTNAMES,
            "topologyKey": "conformance/domain",
            "maxSkew": 1,
            "whenUnsatisfiable": when,
        }
        names = [f"spread-{number}" for number in range(4)]
        for name in names:
            run_labelled(virtual_space, name, nodes[0], {"app": "a"}, topologySpreadConstraints=[constraint])
        chosen = [node_of(virtual_space, name) for name in names]
        assert sorted(chosen) == sorted(2 * [node.name for node in nodes])


def test_too_much_skew(virtual_space: Space) -> None:
    with spare(virtual_space, count=2) as nodes:
        constraint = {**HOSTNAMES, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
        spec: Object = {"topologySpreadConstraints": [constraint]}
        run_labelled(virtual_space, "first", nodes[0], {"app": "a"}, **{**spec, **nodes[0].here()})
        node_of(virtual_space, "first")
        constraint["nodeAffinityPolicy"] = "Ignore"
        run_labelled(virtual_space, "second", nodes[0], {"app": "a"}, **{**spec, **nodes[0].here()})
        message = refused(virtual_space, "second")
        assert "node(s) didn't match pod topology spread constraints" in message, message


def test_several_gates_are_opened_one_by_one(virtual_space: Space, virtual_rest: Rest) -> None:
    virtual_space.run("gated", schedulingGates=[{"name": "conformance/one"}, {"name": "conformance/two"}])

    def gated(pod: Object) -> bool:
        return pods.condition(pod, "PodScheduled").get("reason") == "SchedulingGated"

    path = virtual_space.path("pods", "gated")
    virtual_space.until("gated", gated, what="is gated")
    virtual_rest.patch(path, {"spec": {"schedulingGates": [{"name": "conformance/two"}]}})
    assert gated(virtual_space.pod("gated"))
    virtual_rest.patch(path, {"spec": {"schedulingGates": None}})
    virtual_space.ready("gated")
