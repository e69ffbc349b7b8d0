"""What a node does by itself, every so often. Composition only: each of the loops is its own module's.

Logs are kept small, images that nobody uses are removed, pods are evicted before the node itself fails.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from kubeling.objects import quantity
from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks
from runtime.container_runtime import ContainerRuntime
from runtime.eviction.candidate import candidates
from runtime.eviction.evictor import Evictor, Surroundings
from runtime.eviction.pressure import Pressure
from runtime.eviction.thresholds import configured
from runtime.images.collection import CollectionPolicy, ImageCollection
from runtime.images.pull_records import PullRecords
from runtime.images.reference import normalized
from runtime.images.use import ImageUse
from runtime.kubelet_configuration import KubeletConfiguration
from runtime.node.logs.rotation import ContainerLog, LogRotation, RotationPolicy
from runtime.node.node_events import NodeEvents
from runtime.node.node_reporter import NodeReporter
from runtime.pods.agent import PodAgent
from runtime.pods.containers.dead import reclaim
from runtime.pods.tally import Tally
from runtime.stats.statistics import Statistics

IMAGE_USE = "image-use.json"
SWEEP_EVERY = 300.0
"""Seconds between looks for what pods that are no more have left."""


class Housekeeping:
    def __init__(
        self,
        runtime: ContainerRuntime,
        pods: PodAgent,
        statistics: Statistics,
        clock: Clock,
        *,
        settings: KubeletConfiguration,
        events: NodeEvents,
        reporter: NodeReporter,
        tally: Tally,
        records: PullRecords,
        root: Path,
    ) -> None:
        self._pods = pods
        self._clock = clock
        self._rotation = LogRotation(runtime, clock, rotation_policy(settings), self._logs)
        self._collection = ImageCollection(
            runtime,
            clock,
            collection_policy(settings),
            use=ImageUse(root / IMAGE_USE),
            wanted=self._wanted_images,
            events=events,
            removed=tally.collected_images,
            listed=lambda ids, at: records.prune(ids, before=at),
        )
        around = Surroundings(
            usages=statistics,
            memory=statistics.memory,
            pods=lambda: candidates(pods),
            reclaim=(self._reclaim_containers, self._collection.delete_unused),
            events=events,
            report=lambda conditions: reporter.change(pressures=conditions),
        )
        pressure = Pressure(configured(settings), transition=settings.eviction_pressure_transition_period)
        self.evictor = Evictor(pressure, around, clock, soft_grace=settings.eviction_max_pod_grace_period)

    def start(self, tasks: Tasks) -> None:
        tasks.start(self._rotation.run(), name="log-rotation")
        tasks.start(self._collection.run(), name="image-collection")
        tasks.start(self.evictor.run(), name="eviction")
        tasks.start(self._sweep(), name="sweep")

    async def _sweep(self) -> None:
        """What could not be removed when its pod ended may be removed now."""
        while True:
            await self._clock.sleep(SWEEP_EVERY)
            await self._pods.sweep()

    def _logs(self) -> Iterator[ContainerLog]:
        for worker in self._pods.workers:
            for container in worker.work.view.observed.running():
                if container.log_path:
                    yield ContainerLog(container.id, Path(container.log_path))

    def _wanted_images(self) -> set[str]:
        """A pod may be about to make a container: then nothing in the runtime tells that it needs one."""
        return {
            normalized(image)
            for worker in self._pods.workers
            if not worker.work.settled
            for image in images_of(worker.work.pod)
        }

    async def _reclaim_containers(self) -> None:
        await asyncio.gather(*(reclaim(worker.work) for worker in self._pods.workers))


def images_of(pod: Object) -> Iterator[str]:
    """Those of its containers and of its image volumes."""
    spec = pod.get("spec") or {}
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        yield from (each["image"] for each in spec.get(kind) or [] if each.get("image"))
    for volume in spec.get("volumes") or []:
        reference = (volume.get("image") or {}).get("reference")
        if reference:
            yield reference


def rotation_policy(settings: KubeletConfiguration) -> RotationPolicy:
    return RotationPolicy(
        size=quantity.value(settings.container_log_max_size),
        files=settings.container_log_max_files,
        interval=settings.container_log_monitor_interval,
    )


def collection_policy(settings: KubeletConfiguration) -> CollectionPolicy:
    return CollectionPolicy(
        high=settings.image_gc_high_threshold_percent,
        low=settings.image_gc_low_threshold_percent,
        least_age=settings.image_minimum_gc_age,
        largest_age=settings.image_maximum_gc_age,
    )
