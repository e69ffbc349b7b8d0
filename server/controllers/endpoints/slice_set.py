"""The EndpointSlices of one controller: found by their Service, written, and waited for until they are seen.

A cache lags behind the controller's own writes: slices that were just made would be made again. What was
written is remembered with its generation, and a Service whose slices are not all seen yet is `stale` - for
PATIENCE at most, since what somebody else has changed meanwhile may never be seen as it was written.
"""

from collections.abc import Iterable
from contextlib import suppress

from kubeling.client import Client, Informer
from kubeling.client.index import Index
from kubeling.client.resources import ENDPOINT_SLICES
from kubeling.objects import meta
from kubeling.objects.clock import Clock
from kubeling.objects.errors import ApiError, NotFound
from kubeling.objects.meta import Object
from server.controllers.owned.pod_control import namespace_terminates

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
MAX_PREFIX = 253 - 10
PATIENCE = 5.0
"""Seconds."""


class SliceSet:
    def __init__(self, client: Client, slices: Informer, managed_by: str, *, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._managed_by = managed_by
        self._index = Index(slices, self._keys)
        self._expected: dict[str, dict[str, int | None]] = {}
        """By the Service's key the generation of each slice that was written; None: deleted."""
        self._written: dict[str, float] = {}
        """When something was written last for each of these."""

    def of(self, key: str) -> list[Object]:
        """The Service's slices, those that are being deleted left out."""
        return [each for each in self._index.get(key) if not meta.is_terminating(each)]

    def key(self, found: Object) -> str | None:
        """The Service that a slice of this controller is for."""
        return next(iter(self._keys(found)), None)

    def stale(self, key: str) -> bool:
        """Whether something was written that is not seen yet."""
        if self._clock.monotonic() - self._written.get(key, 0.0) > PATIENCE:
            self.forget(key)
        seen = {meta.name(each): _generation(each) for each in self._index.get(key)}
        waiting = {
            name: generation
            for name, generation in self._expected.pop(key, {}).items()
            if (name in seen if generation is None else seen.get(name, 0) < generation)
        }
        if waiting:
            self._expected[key] = waiting
        else:
            self._written.pop(key, None)
        return bool(waiting)

    def is_news(self, kind: str, found: Object) -> bool:
        """Whether a change is somebody else's doing. A slice that is gone is not waited for any longer."""
        written, name = self._expected.get(self.key(found) or "", {}), meta.name(found)
        if name not in written:
            return True
        if kind == "DELETED":
            return written.pop(name) is not None
        return written[name] != _generation(found)

    def forget(self, key: str) -> None:
        self._expected.pop(key, None)
        self._written.pop(key, None)

    async def write(
        self, key: str, *, created: Iterable[Object], changed: Iterable[Object], dropped: Iterable[Object]
    ) -> None:
        """Raises: ApiError. A namespace that is going away takes no new slices, which is no error."""
        for each in created:
            try:
                made = await self._client.create(ENDPOINT_SLICES, each)
            except ApiError as error:
                if namespace_terminates(error):
                    return
                raise
            self._expect(key, meta.name(made), _generation(made))
        for each in changed:
            written = await self._client.update(ENDPOINT_SLICES, each)
            self._expect(key, meta.name(written), _generation(written))
        for each in dropped:
            await self._delete(key, each)

    async def _delete(self, key: str, found: Object) -> None:
        name = meta.name(found)
        with suppress(NotFound):
            await self._client.delete(
                ENDPOINT_SLICES,
                name,
                namespace=meta.namespace(found),
                preconditions={"uid": meta.uid(found)},
            )
            self._expect(key, name, None)

    def _expect(self, key: str, name: str, generation: int | None) -> None:
        self._expected.setdefault(key, {})[name] = generation
        self._written[key] = self._clock.monotonic()

    def _keys(self, found: Object) -> tuple[str, ...]:
        labels = meta.labels(found)
        name = labels.get(SERVICE_NAME)
        if labels.get(MANAGED_BY) != self._managed_by or not name:
            return ()
        return (f"{meta.namespace(found)}/{name}",)


def prefix(service: str) -> str:
    """Of the names of the Service's slices."""
    return f"{service}-" if len(service) < MAX_PREFIX else service


def port_key(ports: Iterable[Object]) -> str:
    """The same for the same ports in any order."""
    texts = (
        f"{each.get('name', '')}/{each.get('port')}/{each.get('protocol')}/{each.get('appProtocol', '')}"
        for each in ports
    )
    return ",".join(sorted(texts))


def _generation(found: Object) -> int:
    return int(meta.metadata(found).get("generation") or 0)
