"""What nodes and pods use, for tests of what is made of it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from kubeling.objects.meta import Object
from runtime.stats.usage import ContainerUsage, Cpu, FileSystem, Memory, NodeUsage, PodUsage, VolumeUsage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MI, GI = 1 << 20, 1 << 30


def disk(available: int = 50 * GI, capacity: int = 100 * GI, inodes_free: int = 900) -> FileSystem:
    return FileSystem(
        NOW, capacity=capacity, available=available, used=0, inodes=1000, inodes_free=inodes_free
    )


def used(amount: int, inodes: int = 1) -> FileSystem:
    return FileSystem(NOW, used=amount, inodes_used=inodes)


def memory(working_set: int, limit: int | None = None) -> Memory:
    return Memory(NOW, working_set, working_set, limit=limit)


def node(**more: Any) -> NodeUsage:
    facts: dict[str, Any] = {
        "started_at": NOW,
        "cpu": Cpu(NOW, 0),
        "memory": memory(GI, 8 * GI),
        "root": disk(),
        "images": disk(),
        "layers": disk(),
        "processes": 100,
        "most_processes": 1000,
    }
    return NodeUsage(**{**facts, **more})


def a_pod(name: str = "web", *, requests: Mapping[str, str] | None = None, **spec: Any) -> Object:
    container: Object = {"name": "main", "resources": {"requests": dict(requests or {})}}
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
        "spec": {"containers": [container], **spec},
    }


def pod_usage(pod: Object, **more: Any) -> PodUsage:
    return PodUsage(pod, NOW, "/kubepods/x", **more)


def container(name: str = "main", **more: Any) -> ContainerUsage:
    return ContainerUsage(name, "id", NOW, "image", "/kubepods/x/id", **more)


def volume(name: str, amount: int) -> VolumeUsage:
    return VolumeUsage(name, used(amount), ephemeral=True)
