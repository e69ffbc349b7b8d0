"""What a node has, and what of it pods can be given."""

from dataclasses import replace

from kubeling.objects.clock import FakeClock
from runtime.kubelet_configuration import KubeletConfiguration
from runtime.node.allocatable import allocatable, capacity, enforced
from runtime.node.node_object import new_node
from runtime.tests.test_node_object import FACTS, MACHINE


def test_hard_eviction_thresholds_are_held_back() -> None:
    machine = replace(MACHINE, disk=40470732 * 1024, huge_pages={})
    assert allocatable(machine, KubeletConfiguration()) == {
        "cpu": "4",
        "memory": "8092Mi",
        "ephemeral-storage": "37297826550",
        "pods": "110",
    }


def test_reservations_are_held_back() -> None:
    kubelet = KubeletConfiguration(
        kube_reserved={"cpu": "100m", "memory": "1Gi"},
        system_reserved={"cpu": "150m", "pid": "100"},
        eviction_hard={},
    )
    found = allocatable(MACHINE, kubelet)
    assert (found["cpu"], found["memory"]) == ("3750m", "7Gi")
    assert enforced(MACHINE, kubelet)["memory"] == "7Gi"
    assert capacity(MACHINE, kubelet)["cpu"] == "4"


def test_eviction_thresholds_are_not_enforced_on_pods() -> None:
    assert enforced(MACHINE, KubeletConfiguration())["memory"] == "8388608Ki"


def test_huge_pages_are_no_memory_for_others() -> None:
    machine = replace(MACHINE, huge_pages={"hugepages-2Mi": 2**30})
    assert allocatable(machine, KubeletConfiguration(eviction_hard={}))["memory"] == "7Gi"


def test_nobody_is_given_less_than_nothing() -> None:
    kubelet = KubeletConfiguration(kube_reserved={"cpu": "5"})
    assert allocatable(MACHINE, kubelet)["cpu"] == "0"


def test_the_number_of_pods_may_depend_on_that_of_processors() -> None:
    assert capacity(MACHINE, KubeletConfiguration(pods_per_core=10))["pods"] == "40"
    assert capacity(MACHINE, KubeletConfiguration(pods_per_core=10, max_pods=30))["pods"] == "30"


def test_a_node_may_register_with_taints() -> None:
    taint = {"key": "k", "effect": "NoSchedule"}
    facts = replace(FACTS, kubelet=KubeletConfiguration(register_with_taints=(taint,), provider_id="x://1"))
    assert new_node(facts, FakeClock().now())["spec"] == {"taints": [taint], "providerID": "x://1"}
