"""The pods that the node runs by itself: from a folder of manifests to workers, with mirrors in the API.

A file that is removed ends its pod; one that is changed ends it and starts another, when the old one is gone.
The API has no part in that: while it is away files go on being followed.
"""

from collections.abc import Callable

from kubeling.client.protocol import Client, Informer
from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object, annotations, key
from kubeling.objects.tasks import Tasks
from runtime.pods.identity import MIRROR
from runtime.pods.worker import PodWorker
from runtime.static.folder import ManifestFolder
from runtime.static.mirror import Mirrors


class StaticPods:
    """Implements `OwnPods`."""

    def __init__(self, folder: ManifestFolder, client: Client, clock: Clock, pods: Informer) -> None:
        self._folder = folder
        self._mirrors = Mirrors(client, clock, pods, folder.node, self._pod, self.mirror_made)
        self._wanted: dict[str, Object] = {}
        """By namespace and name."""
        self._workers: dict[str, PodWorker] = {}
        self._begun: dict[str, Object] = {}
        """What the workers' pods were made from."""
        self._begin: Callable[[Object], PodWorker] | None = None

    async def start(self, begin: Callable[[Object], PodWorker], tasks: Tasks) -> None:
        self._begin = begin
        self._changed(await self._folder.read())
        self._mirrors.start()
        tasks.start(self._folder.follow(self._changed), name="manifests")

    async def stop(self) -> None:
        await self._mirrors.stop()

    def mirror_changed(self, kind: str, mirror: Object) -> None:
        """For the pods' informer."""
        if kind != "DELETED":
            self.mirror_made(mirror)
        self._mirrors.look(key(mirror))

    def mirror_made(self, mirror: Object) -> None:
        worker = self._workers.get(key(mirror))
        if worker is not None and worker.work.identity.uid == annotations(mirror).get(MIRROR):
            worker.mirrored(mirror)

    def ended(self, worker: PodWorker) -> None:
        place = f"{worker.work.identity.namespace}/{worker.work.identity.name}"
        if self._workers.get(place) is worker:
            del self._workers[place]
            self._mirrors.renew(place)  # one whose manifest names its uid may look like the one before
            self._look_at(place)

    def _pod(self, place: str) -> Object | None:
        """What a mirror at this place is to show: what runs there, or will."""
        worker = self._workers.get(place)
        return worker.work.pod if worker is not None else self._wanted.get(place)

    def _changed(self, found: dict[str, Object]) -> None:
        before = self._wanted
        self._wanted = {key(pod): pod for pod in found.values()}
        for place in {*before, *self._wanted}:
            self._look_at(place)

    def _look_at(self, place: str) -> None:
        wanted, worker = self._wanted.get(place), self._workers.get(place)
        if worker is None and wanted is not None and self._begin is not None:
            self._workers[place], self._begun[place] = self._begin(wanted), wanted
        elif worker is not None and wanted != self._begun[place]:
            worker.end()
        self._mirrors.look(place)
