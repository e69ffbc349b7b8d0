"""Eviction signals: what is observed of the node, which resource that is, which condition tells it. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from runtime.stats.usage import FileSystem, Memory, NodeUsage

MEMORY, STORAGE, INODES, PIDS = "memory", "ephemeral-storage", "inodes", "pids"
MEMORY_AVAILABLE, ALLOCATABLE_MEMORY = "memory.available", "allocatableMemory.available"
MEMORY_SIGNALS = (MEMORY_AVAILABLE, ALLOCATABLE_MEMORY)
NODE_DISK, NODE_INODES = "nodefs.available", "nodefs.inodesFree"
IMAGE_DISK, IMAGE_INODES = "imagefs.available", "imagefs.inodesFree"
PID_AVAILABLE = "pid.available"

RESOURCES = {
    MEMORY_AVAILABLE: MEMORY,
    ALLOCATABLE_MEMORY: MEMORY,
    NODE_DISK: STORAGE,
    NODE_INODES: INODES,
    IMAGE_DISK: STORAGE,
    IMAGE_INODES: INODES,
    PID_AVAILABLE: PIDS,
}
"""containerfs is the file system of the images or of the node, and follows their thresholds as upstream."""

MEMORY_PRESSURE, DISK_PRESSURE, PID_PRESSURE = "MemoryPressure", "DiskPressure", "PIDPressure"
CONDITIONS = {MEMORY: MEMORY_PRESSURE, STORAGE: DISK_PRESSURE, INODES: DISK_PRESSURE, PIDS: PID_PRESSURE}


@dataclass(frozen=True, slots=True)
class Observation:
    available: int
    capacity: int


Observations = Mapping[str, Observation]


def condition(signal: str) -> str:
    return CONDITIONS[RESOURCES[signal]]


def observe(node: NodeUsage) -> Observations:
    """By signal, those that are known; without memory."""
    found = {
        NODE_DISK: _disk(node.root),
        NODE_INODES: _inodes(node.root),
        IMAGE_DISK: _disk(node.images),
        IMAGE_INODES: _inodes(node.images),
        PID_AVAILABLE: Observation(node.most_processes - node.processes, node.most_processes),
    }
    return {signal: each for signal, each in found.items() if each is not None and each.capacity}


def observe_memory(node: Memory | None, pods: Memory | None) -> Observations:
    """`pods` is what all pods use together, with what they may have as its limit."""
    found = {MEMORY_AVAILABLE: _memory(node), ALLOCATABLE_MEMORY: _memory(pods)}
    return {signal: each for signal, each in found.items() if each is not None}


def _memory(memory: Memory | None) -> Observation | None:
    if memory is None or memory.available is None:
        return None
    return Observation(memory.available, memory.available + memory.working_set)


def _disk(disk: FileSystem) -> Observation | None:
    if disk.available is None or disk.capacity is None:
        return None
    return Observation(disk.available, disk.capacity)


def _inodes(disk: FileSystem) -> Observation | None:
    if disk.inodes_free is None or disk.inodes is None:
        return None
    return Observation(disk.inodes_free, disk.inodes)
