"""Requests and limits: the quality of service, and what becomes of them as values of cgroups. Pure."""

from typing import Any

import pytest

from kubeling.objects.meta import Object
from runtime.kubelet_configuration import KubeletConfiguration
from runtime.pods.cgroups.qos import cgroup_parent, computed_class, oom_score_adjustment, qos_class
from runtime.pods.cgroups.resources import ResourceRules, page_size, quota, shares
from runtime.pods.cgroups.tree import Limits

GIB = 2**30
RULES = ResourceRules(memory_capacity=GIB)


def with_resources(requests: dict[str, str], limits: dict[str, str]) -> dict[str, Any]:
    return {"name": "c", "resources": {"requests": requests, "limits": limits}}


FULL = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("containers", "quality"),
    [
        ([with_resources({}, {})], "BestEffort"),
        ([with_resources({"cpu": "0"}, {})], "BestEffort"),
        ([with_resources({"cpu": "1"}, {})], "Burstable"),
        ([with_resources(FULL, FULL)], "Guaranteed"),
        ([with_resources({}, FULL)], "Guaranteed"),
        ([with_resources({"cpu": "500m"}, FULL)], "Burstable"),
        ([with_resources(FULL, FULL), with_resources({}, {})], "Burstable"),
    ],
)
def test_the_quality_of_service_class(containers: list[dict[str, Any]], quality: str) -> None:
    assert computed_class(containers) == quality


@pytest.mark.parametrize(
    ("quality", "parent"),
    [
        ("Guaranteed", "/kubepods/podu1"),
        ("Burstable", "/kubepods/burstable/podu1"),
        ("BestEffort", "/kubepods/besteffort/podu1"),
    ],
)
def test_the_pods_cgroup(quality: str, parent: str) -> None:
    assert cgroup_parent({"metadata": {"uid": "u1"}, "status": {"qosClass": quality}}) == parent


@pytest.mark.parametrize(
    ("quality", "memory", "score"),
    [
        ("Guaranteed", "1Gi", -997),
        ("BestEffort", "0", 1000),
        ("Burstable", "512Mi", 500),
        ("Burstable", "1Ki", 999),
        ("Burstable", "1Gi", 3),
    ],
)
def test_the_out_of_memory_score(quality: str, memory: str, score: int) -> None:
    container = with_resources({"memory": memory}, {})
    pod = {"status": {"qosClass": quality}}
    assert oom_score_adjustment(pod, container, memory_capacity=2**30) == score


def test_cpu_becomes_shares_and_quota() -> None:
    assert (shares(0), shares(1), shares(500), shares(10**9)) == (2, 2, 512, 262144)
    assert (quota(1), quota(500), quota(2000)) == (1000, 50_000, 200_000)
    no_limit = RULES.container({}, {"name": "c"})
    assert (no_limit.cpu_quota, no_limit.memory_limit_in_bytes) == (0, 0)


def a_pod(*containers: Object, init: list[Object] | None = None, **spec: Any) -> Object:
    return {
        "metadata": {"uid": "u1"},
        "spec": {"containers": list(containers), "initContainers": init or [], **spec},
    }


def test_what_the_pod_itself_says_makes_its_class() -> None:
    containers = [with_resources({}, {})]
    assert qos_class(a_pod(*containers, resources={"requests": FULL, "limits": FULL})) == "Guaranteed"
    assert qos_class(a_pod(*containers, resources={"limits": {"cpu": "1"}})) == "Burstable"
    assert qos_class(a_pod(with_resources(FULL, FULL), resources={"limits": {"cpu": "1"}})) == "Burstable"


def test_a_node_critical_pod_is_killed_last() -> None:
    pod = a_pod(with_resources({}, {}), priority=2_000_001_000, priorityClassName="system-node-critical")
    assert oom_score_adjustment(pod, pod["spec"]["containers"][0], memory_capacity=GIB) == -997


def test_a_sidecar_is_killed_no_earlier_than_what_it_is_there_for() -> None:
    sidecar = {**with_resources({"memory": "64Mi"}, {}), "restartPolicy": "Always"}
    pod = a_pod(with_resources({"memory": "512Mi"}, {}), init=[sidecar])
    assert oom_score_adjustment(pod, sidecar, memory_capacity=GIB) == 500


def test_what_only_the_pod_requests_counts_for_each_container() -> None:
    first, second = with_resources({"memory": "256Mi"}, {}), with_resources({}, {})
    pod = a_pod(first, second, resources={"requests": {"memory": "512Mi"}})
    assert oom_score_adjustment(pod, first, memory_capacity=GIB) == 1000 - 375
    assert oom_score_adjustment(pod, second, memory_capacity=GIB) == 1000 - 125


def test_a_container_without_a_limit_has_its_pods() -> None:
    container = with_resources({}, {})
    made = RULES.container(a_pod(container, resources={"limits": FULL}), container)
    assert (made.cpu_quota, made.memory_limit_in_bytes) == (100_000, GIB)


def test_quotas_follow_the_configuration() -> None:
    container = with_resources({}, FULL)
    slow = ResourceRules(KubeletConfiguration(cpu_cfs_quota_period=0.05))
    assert (slow.container({}, container).cpu_period, slow.container({}, container).cpu_quota) == (
        50_000,
        50_000,
    )
    free = ResourceRules(KubeletConfiguration(cpu_cfs_quota=False)).container({}, container)
    assert (free.cpu_period, free.cpu_quota) == (0, 0)


@pytest.mark.parametrize(
    ("containers", "limits"),
    [
        ([with_resources({}, {})], Limits(cpu_shares=2)),
        (
            [with_resources(FULL, FULL), with_resources(FULL, FULL)],
            Limits(cpu_shares=2048, cpu_quota=200_000, cpu_period=100_000, memory=2 * GIB),
        ),
        ([with_resources({"cpu": "100m"}, {})], Limits(cpu_shares=102)),
        (
            [
                with_resources({"cpu": "100m"}, {"cpu": "1"}),
                with_resources({}, {"cpu": "1", "memory": "1Gi"}),
            ],
            Limits(cpu_shares=102, cpu_quota=200_000, cpu_period=100_000),
        ),
    ],
    ids=["besteffort", "guaranteed", "requests-only", "one-without-memory"],
)
def test_the_limits_of_a_pods_own_cgroup(containers: list[Object], limits: Limits) -> None:
    assert RULES.pod(a_pod(*containers)) == limits


def test_overhead_adds_to_the_pods_cgroup() -> None:
    pod = a_pod(with_resources(FULL, FULL), overhead={"cpu": "250m", "memory": "128Mi"})
    limits = RULES.pod(pod)
    assert (limits.cpu_shares, limits.cpu_quota, limits.memory) == (1280, 125_000, GIB + 128 * 2**20)
    assert RULES.sandbox(pod).memory_limit_in_bytes == GIB
    overhead = RULES.overhead(pod)
    assert overhead is not None
    assert (overhead.cpu_quota, overhead.memory_limit_in_bytes) == (25_000, 128 * 2**20)


def test_the_number_of_a_pods_processes_is_limited_by_the_configuration() -> None:
    rules = ResourceRules(KubeletConfiguration(pod_pids_limit=64))
    assert rules.pod(a_pod(with_resources({}, {}))).pids == 64
    assert RULES.pod(a_pod(with_resources({}, {}))).pids is None


def test_huge_pages_that_are_not_asked_for_are_not_to_be_had() -> None:
    rules = ResourceRules(page_sizes=("2MB", "1GB"))
    container = with_resources({"hugepages-2Mi": "4Mi"}, {"hugepages-2Mi": "4Mi"})
    made = rules.container({}, container)
    assert {each.page_size: each.limit for each in made.hugepage_limits} == {"2MB": 4 * 2**20, "1GB": 0}
    assert rules.pod(a_pod(container)).huge_pages == {"2MB": 4 * 2**20, "1GB": 0}
    assert page_size("hugepages-64Ki") == "64KB"


def test_no_container_may_swap_unless_the_configuration_says_so() -> None:
    burstable = with_resources({"memory": "512Mi"}, {"memory": "1Gi"})
    pod = a_pod(burstable)
    first = ResourceRules(swap_counted=True).container(pod, burstable)
    assert first.memory_swap_limit_in_bytes == first.memory_limit_in_bytes == GIB
    plain = ResourceRules(unified=True, swap_counted=True, memory_capacity=2 * GIB, swap=GIB)
    assert plain.container(pod, burstable).unified["memory.swap.max"] == "0"
    limited = ResourceRules(
        KubeletConfiguration(memory_swap={"swapBehavior": "LimitedSwap"}),
        memory_capacity=2 * GIB,
        swap=GIB,
        unified=True,
        swap_counted=True,
    )
    assert limited.container(pod, burstable).unified["memory.swap.max"] == str(256 * 2**20)
    full = with_resources(FULL, FULL)
    assert limited.container(a_pod(full), full).unified["memory.swap.max"] == "0"


def test_on_cgroup_v2_a_container_dies_as_a_whole() -> None:
    container = with_resources({}, {})
    assert ResourceRules(unified=True).container({}, container).unified == {"memory.oom.group": "1"}
    single = ResourceRules(KubeletConfiguration(single_process_oom_kill=True), unified=True)
    assert not single.container({}, container).unified


def test_memory_quality_of_service_keeps_and_throttles() -> None:
    rules = ResourceRules(
        KubeletConfiguration(feature_gates={"MemoryQoS": True}), unified=True, memory_allocatable=2 * GIB
    )
    container = with_resources({"memory": "512Mi"}, {"memory": "1Gi"})
    unified = rules.container({}, container).unified
    high = int(2**29 + 0.9 * 2**29) // 4096 * 4096
    assert (unified["memory.min"], unified["memory.high"]) == (str(2**29), str(high))
    assert "memory.high" not in rules.container({}, with_resources(FULL, FULL)).unified
    assert rules.pod(a_pod(container)).memory_min == 2**29
