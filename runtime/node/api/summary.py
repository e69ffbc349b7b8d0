"""The Summary document (kubelet.config's stats/v1alpha1), made from what was measured. Pure.

What nobody knows is left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from kubeling.objects.meta import Object, timestamp
from runtime.stats.usage import (
    ContainerUsage,
    Cpu,
    FileSystem,
    Interface,
    Memory,
    Network,
    NodeUsage,
    PartUsage,
    PodUsage,
    Pressure,
    Stall,
    VolumeUsage,
)


def summary(node_name: str, node: NodeUsage, parts: Sequence[PartUsage], pods: Iterable[PodUsage]) -> Object:
    return {"node": _node(node_name, node, parts), "pods": [_pod(each) for each in pods]}


def summary_of_cpu_and_memory(
    node_name: str, node: NodeUsage, parts: Sequence[PartUsage], pods: Iterable[PodUsage]
) -> Object:
    """What `?only_cpu_and_memory=true` asks for."""
    kept = ("nodeName", "systemContainers", "startTime", "cpu", "memory", "swap")
    short = {key: value for key, value in _node(node_name, node, parts).items() if key in kept}
    return {"node": short, "pods": [_short(each) for each in pods]}


def _part(part: PartUsage) -> Object:
    return _known(
        {
            "name": part.name,
            "startTime": timestamp(part.started_at),
            "cpu": _cpu(part.cpu),
            "memory": _memory(part.memory),
        }
    )


def _node(name: str, node: NodeUsage, parts: Sequence[PartUsage]) -> Object:
    return _known(
        {
            "nodeName": name,
            "systemContainers": [_part(each) for each in parts],
            "startTime": timestamp(node.started_at),
            "cpu": _cpu(node.cpu, node.pressure),
            "memory": _memory(node.memory, node.pressure),
            "io": _io(node.cpu.time, node.pressure),
            "network": _network(node.network),
            "fs": _fs(node.root),
            "runtime": {"imageFs": _fs(node.images), "containerFs": _fs(node.layers)},
            "rlimit": {
                "time": timestamp(node.cpu.time),
                "maxpid": node.most_processes,
                "curproc": node.processes,
            },
            "swap": _swap(node.memory),
        }
    )


def _pod(pod: PodUsage) -> Object:
    metadata = pod.pod["metadata"]
    return _short(pod) | _known(
        {
            "containers": [_container(each) for each in pod.containers],
            "io": _io(pod.cpu.time if pod.cpu else pod.started_at, pod.pressure),
            "network": _network(pod.network),
            "volume": [_volume(each, metadata["namespace"]) for each in pod.volumes] or None,
            "ephemeral-storage": _fs(pod.ephemeral_storage),
            "process_stats": {"process_count": pod.processes} if pod.processes is not None else None,
        }
    )


def _short(pod: PodUsage) -> Object:
    metadata = pod.pod["metadata"]
    return _known(
        {
            "podRef": {key: metadata[key] for key in ("name", "namespace", "uid")},
            "startTime": timestamp(pod.started_at),
            "containers": [_cpu_and_memory(each) for each in pod.containers],
            "cpu": _cpu(pod.cpu, pod.pressure),
            "memory": _memory(pod.memory, pod.pressure),
            "swap": _swap(pod.memory),
        }
    )


def _container(container: ContainerUsage) -> Object:
    time = container.cpu.time if container.cpu else container.started_at
    return _cpu_and_memory(container) | _known(
        {
            "io": _io(time, container.pressure),
            "rootfs": _fs(container.rootfs),
            "logs": _fs(container.logs),
        }
    )


def _cpu_and_memory(container: ContainerUsage) -> Object:
    return _known(
        {
            "name": container.name,
            "startTime": timestamp(container.started_at),
            "cpu": _cpu(container.cpu, container.pressure),
            "memory": _memory(container.memory, container.pressure),
            "swap": _swap(container.memory),
        }
    )


def _cpu(cpu: Cpu | None, pressure: Mapping[str, Pressure] | None = None) -> Object | None:
    if cpu is None:
        return None
    return _known(
        {
            "time": timestamp(cpu.time),
            "usageNanoCores": cpu.rate,
            "usageCoreNanoSeconds": cpu.total,
            "psi": _psi((pressure or {}).get("cpu")),
        }
    )


def _memory(memory: Memory | None, pressure: Mapping[str, Pressure] | None = None) -> Object | None:
    if memory is None:
        return None
    return _known(
        {
            "time": timestamp(memory.time),
            "availableBytes": memory.available,
            "usageBytes": memory.usage,
            "workingSetBytes": memory.working_set,
            "rssBytes": memory.rss,
            "pageFaults": memory.page_faults,
            "majorPageFaults": memory.major_page_faults,
            "psi": _psi((pressure or {}).get("memory")),
        }
    )


def _swap(memory: Memory | None) -> Object | None:
    if memory is None:
        return None
    available = None if memory.swap_limit is None else max(memory.swap_limit - memory.swap, 0)
    return _known(
        {"time": timestamp(memory.time), "swapAvailableBytes": available, "swapUsageBytes": memory.swap}
    )


def _io(time: datetime, pressure: Mapping[str, Pressure]) -> Object | None:
    return {"time": timestamp(time), "psi": _psi(pressure["io"])} if "io" in pressure else None


def _psi(pressure: Pressure | None) -> Object | None:
    return None if pressure is None else {"full": _stall(pressure.full), "some": _stall(pressure.some)}


def _stall(stall: Stall) -> Object:
    return {"total": stall.total, "avg10": stall.avg10, "avg60": stall.avg60, "avg300": stall.avg300}


def _network(network: Network | None) -> Object | None:
    if network is None or network.default is None:
        return None
    interfaces = [_interface(each) for each in network.interfaces]
    return {"time": timestamp(network.time), **_interface(network.default), "interfaces": interfaces}


def _interface(interface: Interface) -> Object:
    return {
        "name": interface.name,
        "rxBytes": interface.received_bytes,
        "rxErrors": interface.received_errors,
        "txBytes": interface.sent_bytes,
        "txErrors": interface.sent_errors,
    }


def _fs(found: FileSystem | None) -> Object | None:
    if found is None:
        return None
    return _known(
        {
            "time": timestamp(found.time),
            "availableBytes": found.available,
            "capacityBytes": found.capacity,
            "usedBytes": found.used,
            "inodesFree": found.inodes_free,
            "inodes": found.inodes,
            "inodesUsed": found.inodes_used,
        }
    )


def _volume(volume: VolumeUsage, namespace: str) -> Object:
    claim = {"pvcRef": {"name": volume.claim, "namespace": namespace}} if volume.claim else {}
    return {**(_fs(volume.usage) or {}), "name": volume.name, **claim}


def _known(fields: Mapping[str, Any]) -> Object:
    return {name: value for name, value in fields.items() if value is not None}
