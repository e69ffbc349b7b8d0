"""`Statistics`: the one place that knows what the node and its pods use.

Nothing is read while nobody asks. Reading is done in threads; who asks for disks also asks the runtime.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object
from runtime.container_runtime import ContainerRuntime
from runtime.errors import RuntimeServiceError
from runtime.stats import node as whole
from runtime.stats.cgroup import Cgroups
from runtime.stats.disk import file_system, same_disk, with_usage
from runtime.stats.pod_disks import PodDisks
from runtime.stats.pods import measure, unmeasured
from runtime.stats.processes import listener_of, process_use
from runtime.stats.rates import LONGEST, Rates
from runtime.stats.sizes import AGE, Sizes
from runtime.stats.subject import Subject, Subjects
from runtime.stats.usage import Cpu, FileSystem, Memory, NodeUsage, PartUsage, PodUsage

FIRST_RATE = 0.5
"""Seconds between the two looks that the first question for rates takes."""
FEW = 8
"""Up to so many pods the runtime is asked about each; for more it tells of all at once."""
NODE, PODS = "/", "/kubepods"


class Statistics:
    """`root` is the node's directory, `memory` its capacity in bytes, `socket` the runtime's.

    `stop` ends what is being measured.
    """

    def __init__(
        self,
        runtime: ContainerRuntime,
        subjects: Subjects,
        cgroups: Cgroups,
        clock: Clock,
        *,
        root: Path,
        memory: int,
        socket: str = "",
    ) -> None:
        self.cgroups = cgroups
        self._runtime = runtime
        self._subjects = subjects
        self._clock = clock
        self._root = root
        self._memory = memory
        self._socket = socket
        self._rates = Rates()
        self._sizes = Sizes(clock)
        self._looked_at: float | None = None

    async def stop(self) -> None:
        await self._sizes.stop()

    async def node(self) -> NodeUsage:
        """The node as a whole. What images and layers take is None while the runtime does not answer."""
        usage = await asyncio.to_thread(self._node, await self._image_disks(), self._clock.now())
        return replace(usage, cpu=self._with_rate(NODE, usage.cpu, usage.started_at))

    async def pods(self) -> Sequence[PodUsage]:
        """Processor, memory, processes and network of every pod that has a sandbox, and of its containers."""
        return await self._measured(self._subjects.subjects())

    async def pods_with_disks(self) -> Sequence[PodUsage]:
        """Also writable layers, logs and volumes; sizes of volumes are up to a minute old."""
        subjects = self._subjects.subjects()
        return await self._with_disks(await self._measured(subjects), subjects, age=AGE)

    async def disks(self, wanted: Callable[[Object], bool], *, age: float) -> Sequence[PodUsage]:
        """What `wanted` pods take on disks alone; sizes of volumes are up to `age` seconds old."""
        subjects = [each for each in self._subjects.subjects() if wanted(each.pod)]
        return await self._with_disks([unmeasured(each) for each in subjects], subjects, age=age)

    def memory(self) -> tuple[Memory, Memory | None]:
        """The node's, and that of all pods together with what they may have. Reads a few small files."""
        now = self._clock.now()
        pods = self.cgroups.memory(PODS, now)
        if pods is not None and (pods.limit is None or pods.limit > self._memory):
            pods = replace(pods, limit=self._memory)
        return whole.memory(self.cgroups, self._memory, now), pods

    async def parts(self) -> Sequence[PartUsage]:
        """Of the node: all pods together, this process, the container runtime."""
        found = await asyncio.to_thread(self._parts, self._clock.now())
        return [replace(each, cpu=self._rated(each.name, each.cpu, each.started_at)) for each in found]

    async def rates_known(self) -> None:
        """Return when the next answers have rates: at once, but for the first question in a while."""
        last, self._looked_at = self._looked_at, self._clock.monotonic()
        if last is None or self._looked_at - last > LONGEST:
            await asyncio.gather(self.node(), self.pods(), self.parts())
            await self._clock.sleep(FIRST_RATE)

    # Rates.

    def _with_rates(self, pod: PodUsage) -> PodUsage:
        containers = tuple(
            replace(each, cpu=self._rated(each.cgroup, each.cpu, each.started_at)) for each in pod.containers
        )
        return replace(pod, cpu=self._rated(pod.cgroup, pod.cpu, pod.started_at), containers=containers)

    def _rated(self, cgroup: str, cpu: Cpu | None, began: datetime) -> Cpu | None:
        return None if cpu is None else self._with_rate(cgroup, cpu, began)

    def _with_rate(self, cgroup: str, cpu: Cpu, began: datetime) -> Cpu:
        at, age = self._clock.monotonic(), (cpu.time - began).total_seconds()
        return replace(cpu, rate=self._rates.rate(cgroup, cpu.total, at=at, age=age, shortest=FIRST_RATE))

    def _parts(self, now: datetime) -> list[PartUsage]:
        booted_at = whole.booted_at()
        found = [PartUsage("pods", booted_at, self.cgroups.cpu(PODS, now), self.memory()[1])]
        pids = {"kubelet": os.getpid(), "runtime": listener_of(self._socket) if self._socket else None}
        for name, pid in pids.items():
            use = process_use(pid, now, booted_at) if pid is not None else None
            if use is not None:
                found.append(PartUsage(name, use.started_at, use.cpu, use.memory))
        return found

    async def _measured(self, subjects: Sequence[Subject]) -> list[PodUsage]:
        found = await asyncio.to_thread(measure, self.cgroups, subjects, self._clock.now())
        self._rates.forget_before(self._clock.monotonic() - LONGEST)
        return [self._with_rates(each) for each in found]

    # Disks.

    def _node(self, disks: "_ImageDisks", now: datetime) -> NodeUsage:
        running, most = whole.processes()
        image_disk = file_system(disks.path, now)
        return NodeUsage(
            started_at=whole.booted_at(),
            cpu=whole.cpu(self.cgroups, now),
            memory=whole.memory(self.cgroups, self._memory, now),
            root=file_system(self._root, now) or FileSystem(now),
            images=with_usage(image_disk, disks.images, now),
            separate_images=not same_disk(disks.path, self._root),
            layers=with_usage(image_disk, disks.layers, now),
            processes=running,
            most_processes=most,
            network=whole.network(now),
            pressure=whole.pressures(self.cgroups, NODE),
        )

    async def _image_disks(self) -> "_ImageDisks":
        try:
            answer = await self._runtime.image_fs_info()
        except RuntimeServiceError:
            answer = []
        images = next(iter(answer), None)
        path = Path(images.fs_id.mountpoint) if images is not None else self._root
        return _ImageDisks(path if path.is_dir() else self._root, images, images)

    async def _with_disks(
        self, pods: Sequence[PodUsage], subjects: Sequence[Subject], *, age: float
    ) -> Sequence[PodUsage]:
        layers, image_disks = await asyncio.gather(self._layers(subjects), self._image_disks())
        places = (place for subject in subjects for place in subject.volumes)
        sizes = await self._sizes.of((place.path for place in places if place.measured), age=age)

        def add() -> list[PodUsage]:
            now = self._clock.now()
            root, layers_root = file_system(self._root, now), file_system(image_disks.path, now)
            disks = PodDisks(root, layers, layers_root, sizes, now)
            return [disks.add(*each) for each in zip(pods, subjects, strict=True)]

        return await asyncio.to_thread(add)

    async def _layers(self, subjects: Sequence[Subject]) -> dict[str, cri.ContainerStats]:
        """By container; empty while the runtime does not answer. It measures those that are asked for."""
        few = len(subjects) <= FEW
        filters = [cri.ContainerStatsFilter(pod_sandbox_id=each.sandbox) for each in subjects if few]
        try:
            found = await asyncio.gather(*map(self._runtime.list_container_stats, filters if few else [None]))
        except RuntimeServiceError:
            return {}
        return {each.attributes.id: each for listed in found for each in listed}


class _ImageDisks(NamedTuple):
    """Where images and writable layers lie, on one file system with every runtime that we know."""

    path: Path
    images: cri.FilesystemUsage | None
    layers: cri.FilesystemUsage | None
