"""/metrics/cadvisor: what each cgroup uses, under cAdvisor's names. Pure; what was read is in `cgroup`."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from runtime.node.api.metrics.cgroup import Cgroup
from runtime.node.api.metrics.page import counter, gauge
from runtime.node.machine import Machine
from runtime.stats.usage import Cpu, FileSystem, Memory, Throttling

if TYPE_CHECKING:
    from prometheus_client import Metric

_NANO, _MICRO = 1e9, 1e6
_LABELS = ("container", "id", "image", "name", "namespace", "pod")


def cadvisor_metrics(found: Sequence[Cgroup], machine: Machine, now: datetime) -> Iterable["Metric"]:
    yield _version(machine)
    yield from _values(found, now)
    yield from _page_faults(found)
    yield from _devices(found)
    yield from _interfaces(found)
    yield from _stalls(found)
    yield from _machine(machine)
    error = gauge(
        "container_scrape_error", "1 if there was an error while getting container metrics, 0 otherwise"
    )
    error.add_metric([], 0)
    yield error


Value = Callable[[Cgroup], float | None]


def _of_cpu(read: Callable[[Cpu], float]) -> Value:
    return lambda each: None if each.cpu is None else read(each.cpu)


def _of_memory(read: Callable[[Memory], float]) -> Value:
    return lambda each: None if each.memory is None else read(each.memory)


def _throttled(read: Callable[[Throttling], float]) -> Value:
    """Only where there is a quota."""
    return lambda each: None if each.limits.quota is None else read(each.throttling)


def _of_disk(read: Callable[[FileSystem], float | None]) -> Value:
    return lambda each: None if each.disk is None else read(each.disk)


_COUNTERS: dict[str, tuple[str, Value]] = {
    "container_cpu_usage_seconds": (
        "Cumulative cpu time consumed in seconds.",
        _of_cpu(lambda cpu: cpu.total / _NANO),
    ),
    "container_cpu_user_seconds": (
        "Cumulative user cpu time consumed in seconds.",
        _of_cpu(lambda cpu: cpu.user / _NANO),
    ),
    "container_cpu_system_seconds": (
        "Cumulative system cpu time consumed in seconds.",
        _of_cpu(lambda cpu: cpu.system / _NANO),
    ),
    "container_cpu_cfs_periods": (
        "Number of elapsed enforcement period intervals.",
        _throttled(lambda found: found.periods),
    ),
    "container_cpu_cfs_throttled_periods": (
        "Number of throttled period intervals.",
        _throttled(lambda found: found.throttled),
    ),
    "container_cpu_cfs_throttled_seconds": (
        "Total time duration the container has been throttled.",
        _throttled(lambda found: found.time / _NANO),
    ),
    "container_oom_events": (
        "Count of out of memory events observed for the container",
        _of_memory(lambda m: m.oom_kills),
    ),
}
_GAUGES: dict[str, tuple[str, Value]] = {
    "container_memory_cache": ("Number of bytes of page cache memory.", _of_memory(lambda m: m.cache)),
    "container_memory_failcnt": ("Number of memory usage hits limits", _of_memory(lambda m: m.failures)),
    "container_memory_mapped_file": (
        "Size of memory mapped files in bytes.",
        _of_memory(lambda m: m.mapped_file),
    ),
    "container_memory_max_usage_bytes": (
        "Maximum memory usage recorded in bytes",
        _of_memory(lambda m: m.peak),
    ),
    "container_memory_rss": ("Size of RSS in bytes.", _of_memory(lambda m: m.rss)),
    "container_memory_swap": ("Container swap usage in bytes.", _of_memory(lambda m: m.swap)),
    "container_memory_usage_bytes": (
        "Current memory usage in bytes, including all memory regardless of when it was accessed",
        _of_memory(lambda m: m.usage),
    ),
    "container_memory_working_set_bytes": (
        "Current working set in bytes.",
        _of_memory(lambda m: m.working_set),
    ),
    "container_processes": (
        "Number of processes running inside the container.",
        lambda each: each.processes.count,
    ),
    "container_file_descriptors": (
        "Number of open file descriptors for the container.",
        lambda each: each.processes.files,
    ),
    "container_sockets": ("Number of open sockets for the container.", lambda each: each.processes.sockets),
    "container_threads_max": (
        "Maximum number of threads allowed inside the container, infinity if value is zero",
        lambda each: each.most_threads or 0,
    ),
    "container_ulimits_soft": (
        "Soft ulimit values for the container root process. Unlimited if -1, except priority and nice",
        lambda each: each.processes.most_files,
    ),
    "container_threads": ("Number of threads running inside the container", lambda each: each.threads),
    "container_spec_cpu_period": ("CPU period of the container.", lambda each: each.limits.period),
    "container_spec_cpu_quota": ("CPU quota of the container.", lambda each: each.limits.quota),
    "container_spec_cpu_shares": ("CPU share of the container.", lambda each: each.limits.shares),
    "container_spec_memory_limit_bytes": (
        "Memory limit for the container.",
        _of_memory(lambda m: m.limit or 0),
    ),
    "container_spec_memory_reservation_limit_bytes": (
        "Memory reservation limit for the container.",
        _of_memory(lambda m: m.reservation or 0),
    ),
    "container_spec_memory_swap_limit_bytes": (
        "Memory swap limit for the container.",
        _of_memory(lambda m: m.swap_limit or 0),
    ),
    "container_start_time_seconds": (
        "Start time of the container since unix epoch in seconds.",
        lambda each: each.started_at.timestamp(),
    ),
    "container_fs_usage_bytes": (
        "Number of bytes that are consumed by the container on this filesystem.",
        _of_disk(lambda disk: disk.used),
    ),
    "container_fs_limit_bytes": (
        "Number of bytes that can be consumed by the container on this filesystem.",
        _of_disk(lambda disk: disk.capacity),
    ),
    "container_fs_inodes_free": ("Number of available Inodes", _of_disk(lambda disk: disk.inodes_free)),
    "container_fs_inodes_total": ("Number of Inodes", _of_disk(lambda disk: disk.inodes)),
}
_OWN_LABEL = {
    "container_ulimits_soft": ("ulimit", "max_open_files"),
    "container_cpu_usage_seconds": ("cpu", "total"),
    "container_fs_usage_bytes": ("device", ""),
    "container_fs_limit_bytes": ("device", ""),
    "container_fs_inodes_free": ("device", ""),
    "container_fs_inodes_total": ("device", ""),
}


def _values(found: Sequence[Cgroup], now: datetime) -> Iterable["Metric"]:
    for families, make in ((_COUNTERS, counter), (_GAUGES, gauge)):
        for name, (text, read) in families.items():
            label, value = _OWN_LABEL.get(name, ("", ""))
            family = make(name, text, (*_LABELS, label) if label else _LABELS)
            for each in found:
                amount = read(each)
                if amount is not None:
                    family.add_metric(
                        [*each.labels.values(), value] if label else each.labels.values(), amount
                    )
            yield family
    seen = gauge("container_last_seen", "Last time a container was seen by the exporter", _LABELS)
    for each in found:
        seen.add_metric(each.labels.values(), now.timestamp())
    yield seen


def _page_faults(found: Sequence[Cgroup]) -> Iterable["Metric"]:
    text = "Cumulative count of memory allocation failures."
    family = counter("container_memory_failures", text, (*_LABELS, "failure_type", "scope"))
    for each in found:
        if each.memory is not None:
            labels, memory = each.labels.values(), each.memory
            family.add_metric([*labels, "pgfault", "hierarchy"], memory.page_faults)
            family.add_metric([*labels, "pgmajfault", "hierarchy"], memory.major_page_faults)
    yield family


_DEVICES = {
    "container_fs_reads_bytes": ("Cumulative count of bytes read", "read_bytes"),
    "container_fs_writes_bytes": ("Cumulative count of bytes written", "written_bytes"),
    "container_fs_reads": ("Cumulative count of reads completed", "reads"),
    "container_fs_writes": ("Cumulative count of writes completed", "writes"),
}


def _devices(found: Sequence[Cgroup]) -> Iterable["Metric"]:
    names: dict[tuple[int, int], str] = {}
    for metric, (text, attribute) in _DEVICES.items():
        family = counter(metric, text, (*_LABELS, "device"))
        for each in found:
            amounts: Mapping[tuple[int, int], int] = getattr(each.io, attribute)
            for device, amount in amounts.items():
                names.setdefault(device, _device_name(device))
                family.add_metric([*each.labels.values(), names[device]], amount)
            if not amounts and each.labels.name:  # one that has read or written nothing
                family.add_metric([*each.labels.values(), ""], 0)
        yield family
    yield _operations(found, names)


def _operations(found: Sequence[Cgroup], names: Mapping[tuple[int, int], str]) -> "Metric":
    labels = (*_LABELS, "device", "major", "minor", "operation")
    family = counter("container_blkio_device_usage", "Blkio Device bytes usage", labels)
    for each in found:
        by_operation = {"Read": each.io.read_bytes, "Write": each.io.written_bytes}
        for operation, amounts in by_operation.items():
            for (major, minor), amount in amounts.items():
                device = [names.get((major, minor), ""), str(major), str(minor), operation]
                family.add_metric([*each.labels.values(), *device], amount)
            if not amounts and each.labels.name:
                family.add_metric([*each.labels.values(), "", "0", "0", operation], 0)
    return family


def _device_name(device: tuple[int, int]) -> str:
    from pathlib import Path

    path = Path(f"/sys/dev/block/{device[0]}:{device[1]}")
    return f"/dev/{path.resolve().name}" if path.exists() else ""


_TRAFFIC = {
    "container_network_receive_bytes": ("Cumulative count of bytes received", "received_bytes"),
    "container_network_receive_errors": (
        "Cumulative count of errors encountered while receiving",
        "received_errors",
    ),
    "container_network_receive_packets_dropped": (
        "Cumulative count of packets dropped while receiving",
        "received_dropped",
    ),
    "container_network_receive_packets": ("Cumulative count of packets received", "received_packets"),
    "container_network_transmit_bytes": ("Cumulative count of bytes transmitted", "sent_bytes"),
    "container_network_transmit_errors": (
        "Cumulative count of errors encountered while transmitting",
        "sent_errors",
    ),
    "container_network_transmit_packets_dropped": (
        "Cumulative count of packets dropped while transmitting",
        "sent_dropped",
    ),
    "container_network_transmit_packets": ("Cumulative count of packets transmitted", "sent_packets"),
}


def _interfaces(found: Sequence[Cgroup]) -> Iterable["Metric"]:
    for metric, (text, attribute) in _TRAFFIC.items():
        family = counter(metric, text, (*_LABELS, "interface"))
        for each in found:
            for interface in each.network.interfaces if each.network is not None else ():
                family.add_metric([*each.labels.values(), interface.name], getattr(interface, attribute))
        yield family


def _stalls(found: Sequence[Cgroup]) -> Iterable["Metric"]:
    for resource in ("cpu", "memory", "io"):
        for kind, attribute in (("waiting", "some"), ("stalled", "full")):
            text = (
                f"Total time duration tasks in the container have been {kind} due to {resource} congestion."
            )
            family = counter(f"container_pressure_{resource}_{kind}_seconds", text, _LABELS)
            for each in found:
                if resource in each.pressure:
                    stall = getattr(each.pressure[resource], attribute)
                    family.add_metric(each.labels.values(), stall.total / _MICRO)
            yield family


def _version(machine: Machine) -> "Metric":
    labels = {
        "cadvisorRevision": "",
        "cadvisorVersion": "",
        "dockerVersion": "",
        "kernelVersion": machine.kernel,
        "osVersion": machine.os_image,
    }
    text = "A metric with a constant '1' value labeled by kernel version, OS version and cadvisor version."
    family = gauge("cadvisor_version_info", text, labels)
    family.add_metric([*labels.values()], 1)
    return family


def _machine(machine: Machine) -> Iterable["Metric"]:
    identity = {
        "boot_id": machine.boot_id,
        "machine_id": machine.machine_id,
        "system_uuid": machine.system_uuid,
    }
    amounts = {
        "machine_cpu_cores": ("Number of logical CPU cores.", machine.cpus),
        "machine_memory_bytes": ("Amount of memory installed on the machine.", machine.memory),
        "machine_swap_bytes": ("Amount of swap memory available on the machine.", machine.swap),
        "machine_scrape_error": ("1 if there was an error while getting machine metrics, 0 otherwise.", 0),
    }
    for name, (text, amount) in amounts.items():
        family = gauge(name, text, () if name == "machine_scrape_error" else identity)
        family.add_metric([] if name == "machine_scrape_error" else [*identity.values()], amount)
        yield family
