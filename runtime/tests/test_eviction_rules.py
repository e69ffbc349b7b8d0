"""When a node is short of something, whom that costs what, and what is said of it: pure rules."""

from typing import Any

import pytest

from kubeling.objects.meta import Object, name
from runtime.eviction import local_storage
from runtime.eviction.message import pressure_message
from runtime.eviction.pressure import Pressure
from runtime.eviction.ranking import Usage, pod_request, rank
from runtime.eviction.signals import Observation, observe, observe_memory
from runtime.eviction.thresholds import Amount, Threshold, by_urgency, configured, met
from runtime.kubelet_configuration import KubeletConfiguration
from runtime.pods.cgroups.qos import is_critical
from runtime.stats.usage import PodUsage
from runtime.tests.usages import GI, MI, a_pod, container, disk, memory, node, pod_usage, used, volume

MEMORY = Threshold("memory.available", Amount("100Mi"))


def seen(available: int, signal: str = "memory.available", capacity: int = 8 * GI) -> dict[str, Observation]:
    return {signal: Observation(available, capacity)}


# Thresholds.


def test_the_default_thresholds_are_upstream_s() -> None:
    found = {(each.signal, each.amount.text) for each in configured(KubeletConfiguration())}
    assert found == {
        ("memory.available", "100Mi"),
        ("allocatableMemory.available", "100Mi"),
        ("nodefs.available", "10%"),
        ("nodefs.inodesFree", "5%"),
        ("imagefs.available", "15%"),
        ("imagefs.inodesFree", "5%"),
    }


def test_zero_and_a_hundred_percent_switch_a_threshold_off() -> None:
    settings = KubeletConfiguration(eviction_hard={"nodefs.available": "0%", "imagefs.available": "100%"})
    assert configured(settings) == ()


def test_soft_thresholds_have_their_grace_and_reclaim() -> None:
    settings = KubeletConfiguration(
        eviction_hard={},
        eviction_soft={"nodefs.available": "10%"},
        eviction_soft_grace_period={"nodefs.available": 90.0},
        eviction_minimum_reclaim={"nodefs.available": "1Gi"},
    )
    (only,) = configured(settings)
    assert (only.hard, only.grace, only.reclaim) == (False, 90.0, Amount("1Gi"))


def test_a_percentage_is_of_the_capacity_in_single_precision() -> None:
    assert Amount("10%").of(97_828_376_576) == "9782837803"
    assert Amount("15%").of(10 * GI) == "1610612800"
    assert Amount("100Mi").of(10 * GI) == "100Mi"


def test_a_threshold_is_met_when_less_is_available() -> None:
    assert met([MEMORY], seen(100 * MI - 1)) == [MEMORY]
    assert met([MEMORY], seen(100 * MI)) == []
    assert met([MEMORY], {}) == []


def test_memory_is_more_urgent_than_all_else() -> None:
    disk_threshold = Threshold("nodefs.available", Amount("10%"))
    assert by_urgency([disk_threshold, MEMORY]) == [MEMORY, disk_threshold]


def test_what_is_observed() -> None:
    found = observe(node(root=disk(available=5 * GI, inodes_free=7)))
    assert found["nodefs.available"] == Observation(5 * GI, 100 * GI)
    assert found["nodefs.inodesFree"] == Observation(7, 1000)
    assert found["pid.available"] == Observation(900, 1000)
    assert observe_memory(memory(GI, 8 * GI), None) == {"memory.available": Observation(7 * GI, 8 * GI)}


# Pressure.


def test_the_condition_holds_for_the_transition_period() -> None:
    pressure = Pressure([MEMORY], transition=300)
    assert pressure.update(seen(MI), 0.0) == [MEMORY]
    assert pressure.conditions == {"MemoryPressure"}
    assert pressure.update(seen(GI), 10.0) == []
    assert pressure.conditions == {"MemoryPressure"}
    pressure.update(seen(GI), 299.0)
    assert pressure.conditions == {"MemoryPressure"}
    pressure.update(seen(GI), 300.0)
    assert pressure.conditions == frozenset()


def test_a_soft_threshold_acts_when_its_grace_is_over() -> None:
    soft = Threshold("memory.available", Amount("1Gi"), grace=30)
    pressure = Pressure([soft], transition=300)
    assert pressure.update(seen(MI), 0.0) == []
    assert pressure.conditions == {"MemoryPressure"}
    assert pressure.update(seen(MI), 29.0) == []
    assert pressure.update(seen(MI), 30.0) == [soft]


def test_a_grace_begins_anew_when_the_threshold_was_not_met_meanwhile() -> None:
    soft = Threshold("memory.available", Amount("1Gi"), grace=30)
    pressure = Pressure([soft], transition=300)
    pressure.update(seen(MI), 0.0)
    pressure.update(seen(2 * GI), 10.0)
    assert pressure.update(seen(MI), 35.0) == []


def test_what_was_acted_on_is_resolved_when_the_minimum_reclaim_is_free_too() -> None:
    threshold = Threshold("memory.available", Amount("100Mi"), reclaim=Amount("100Mi"))
    pressure = Pressure([threshold], transition=0)
    assert pressure.update(seen(150 * MI), 0.0) == []
    assert pressure.update(seen(50 * MI), 10.0) == [threshold]
    assert pressure.update(seen(150 * MI), 20.0) == [threshold]
    assert pressure.update(seen(200 * MI), 30.0) == []
    assert pressure.update(seen(150 * MI), 40.0) == []


# Ranking.


def ranked(usages: list[PodUsage], *others: Object, **how: Any) -> list[str]:
    usage: Usage = {each.pod["metadata"]["uid"]: each for each in usages}
    pods = [*others, *(each.pod for each in usages)]
    given = {"resource": "memory", "signal": "memory.available", "separate_images": False, **how}
    return [name(each) for each in rank(pods, usage, **given)]


def test_who_exceeds_their_requests_goes_first_then_the_less_important_then_the_larger() -> None:
    within = pod_usage(a_pod("within", requests={"memory": "1Gi"}), memory=memory(900 * MI))
    small = pod_usage(a_pod("small"), memory=memory(10 * MI))
    large = pod_usage(a_pod("large"), memory=memory(20 * MI))
    important = pod_usage(a_pod("important", priority=100), memory=memory(30 * MI))
    assert ranked([within, important, small, large]) == ["large", "small", "important", "within"]


def test_a_pod_of_which_nothing_is_known_goes_first() -> None:
    large = pod_usage(a_pod("large"), memory=memory(20 * MI))
    assert ranked([large], a_pod("unknown")) == ["unknown", "large"]


def test_what_counts_is_what_exceeds_the_request() -> None:
    modest = pod_usage(a_pod("modest", requests={"memory": "1Gi"}), memory=memory(GI + 10 * MI))
    greedy = pod_usage(a_pod("greedy"), memory=memory(20 * MI))
    assert ranked([modest, greedy]) == ["greedy", "modest"]


def test_processes_rank_by_priority_and_number() -> None:
    few, many = pod_usage(a_pod("few"), processes=3), pod_usage(a_pod("many"), processes=30)
    important = pod_usage(a_pod("important", priority=1), processes=300)
    how = {"resource": "pids", "signal": "pid.available"}
    assert ranked([important, few, many], **how) == ["many", "few", "important"]


def disks(pod: str, *, layer: int = 0, logs: int = 0, volumes: int = 0) -> PodUsage:
    return pod_usage(
        a_pod(pod),
        containers=(container(rootfs=used(layer, layer), logs=used(logs, logs)),),
        volumes=(volume("data", volumes),),
    )


@pytest.mark.parametrize(
    ("signal", "separate", "first"),
    [
        ("nodefs.available", False, "all"),
        ("imagefs.available", False, "all"),
        ("nodefs.available", True, "logs"),
        ("imagefs.available", True, "layer"),
    ],
)
def test_a_disk_s_shortage_counts_what_lies_on_it(signal: str, separate: bool, first: str) -> None:
    pods = [disks("all", layer=4, logs=4, volumes=4), disks("logs", logs=9), disks("layer", layer=9)]
    how = {"resource": "ephemeral-storage", "signal": signal, "separate_images": separate}
    assert ranked(pods, **how)[0] == first


def test_inodes_are_counted_for_themselves() -> None:
    few, many = disks("few", layer=1), disks("many", layer=2)
    how = {"resource": "inodes", "signal": "nodefs.inodesFree"}
    assert ranked([few, many], **how) == ["many", "few"]


def test_a_pod_s_request_counts_its_init_containers_and_overhead() -> None:
    pod = a_pod(requests={"memory": "1Gi"}, overhead={"memory": "1Mi"})
    pod["spec"]["initContainers"] = [
        {"name": "beside", "restartPolicy": "Always", "resources": {"requests": {"memory": "1Gi"}}},
        {"name": "before", "resources": {"requests": {"memory": "3Gi"}}},
    ]
    assert pod_request(pod, "memory") == 4 * GI + MI


@pytest.mark.parametrize(
    ("change", "critical"),
    [
        ({}, False),
        ({"spec": {"priority": 2_000_000_000}}, True),
        ({"spec": {"priority": 1_000_000_000}}, False),
        ({"metadata": {"annotations": {"kubernetes.io/config.source": "file"}}}, True),
        ({"metadata": {"annotations": {"kubernetes.io/config.source": "api"}}}, False),
        ({"metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}}, True),
    ],
    ids=["plain", "system-critical", "important", "static", "api", "mirror"],
)
def test_what_the_cluster_cannot_do_without_is_critical(change: Object, critical: bool) -> None:
    assert is_critical(change) is critical


# Messages.


def test_the_message_names_the_threshold_and_the_containers_that_exceed_their_requests() -> None:
    pod = a_pod(requests={"memory": "4Mi"})
    usage = pod_usage(pod, containers=(container(memory=memory(8 * MI)),), memory=memory(9 * MI))
    message, notes = pressure_message("memory", pod, usage, [MEMORY], seen(50 * MI))
    assert message == (
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. "
        "Container main was using 8Mi, request is 4Mi, has larger consumption of memory. "
    )
    assert notes == {
        "offending_containers": "main",
        "offending_containers_usage": "8Mi",
        "starved_resource": "memory",
    }


def test_the_message_of_a_full_disk_adds_layers_and_logs() -> None:
    pod, threshold = a_pod(), Threshold("nodefs.available", Amount("10%"))
    usage = pod_usage(pod, containers=(container(rootfs=used(MI), logs=used(MI)),))
    message, _ = pressure_message(
        "ephemeral-storage", pod, usage, [threshold], seen(GI, "nodefs.available", 10 * GI)
    )
    assert message == (
        "The node was low on resource: ephemeral-storage. Threshold quantity: 1073741840, available: 1Gi. "
        "Container main was using 2Mi, request is 0, has larger consumption of ephemeral-storage. "
    )


def test_of_a_pod_of_which_nothing_is_known_little_is_said() -> None:
    message, notes = pressure_message("memory", a_pod(), None, [], {})
    assert message == "The node was low on resource: memory. "
    assert notes == {}


# Local storage.


def limited(limit: str, **usage: Any) -> PodUsage:
    pod = a_pod()
    pod["spec"]["containers"][0]["resources"] = {"limits": {"ephemeral-storage": limit}}
    return pod_usage(pod, **usage)


def test_an_empty_dir_that_exceeds_its_limit() -> None:
    pod = a_pod(volumes=[{"name": "data", "emptyDir": {"sizeLimit": "1Mi"}}])
    assert local_storage.is_limited(pod)
    usage = pod_usage(pod, volumes=(volume("data", MI + 1),))
    found = local_storage.excess(usage, separate_images=False)
    assert found is not None
    assert found.message == 'Usage of EmptyDir volume "data" exceeds the limit "1Mi". '
    assert not local_storage.excess(pod_usage(pod, volumes=(volume("data", MI),)), separate_images=False)


def test_a_pod_that_exceeds_the_sum_of_its_containers_limits() -> None:
    usage = limited("1Mi", ephemeral_storage=used(MI + 1))
    found = local_storage.excess(usage, separate_images=False)
    assert found is not None
    assert found.message == "Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. "


def test_a_container_that_exceeds_its_limit_with_its_layer_and_its_logs() -> None:
    usage = limited("1Mi", containers=(container(rootfs=used(MI), logs=used(1)),))
    found = local_storage.excess(usage, separate_images=False)
    assert found is not None
    assert found.message == 'Container main exceeded its local ephemeral storage limit "1Mi". '
    assert not local_storage.excess(usage, separate_images=True)


def test_pods_without_limits_are_not_measured() -> None:
    assert not local_storage.is_limited(a_pod(volumes=[{"name": "data", "emptyDir": {}}]))
