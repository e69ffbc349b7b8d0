"""What a node does by itself, every so often: keeps logs small. Composition only: each loop is its own."""

from collections.abc import Iterator
from pathlib import Path

from kubeling.objects import quantity
from kubeling.objects.clock import Clock
from kubeling.objects.tasks import Tasks
from runtime.container_runtime import ContainerRuntime
from runtime.kubelet_configuration import KubeletConfiguration
from runtime.node.logs.rotation import ContainerLog, LogRotation, RotationPolicy
from runtime.pods.agent import PodAgent


class Housekeeping:
    def __init__(
        self, runtime: ContainerRuntime, pods: PodAgent, clock: Clock, settings: KubeletConfiguration
    ) -> None:
        self._pods = pods
        self._rotation = LogRotation(runtime, clock, rotation_policy(settings), self._logs)

    def start(self, tasks: Tasks) -> None:
        tasks.start(self._rotation.run(), name="log-rotation")

    def _logs(self) -> Iterator[ContainerLog]:
        for worker in self._pods.workers:
            for container in worker.work.view.observed.running():
                if container.log_path:
                    yield ContainerLog(container.id, Path(container.log_path))


def rotation_policy(settings: KubeletConfiguration) -> RotationPolicy:
    return RotationPolicy(
        size=quantity.value(settings.container_log_max_size),
        files=settings.container_log_max_files,
        interval=settings.container_log_monitor_interval,
    )
