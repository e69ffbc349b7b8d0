"""Writes down, on the Secret that a token lies in, the day of its last use. Once a day, in the background."""

import logging

from kubeling.objects.clock import Clock
from kubeling.objects.errors import ApiError
from kubeling.objects.tasks import Tasks
from server.auth.service_accounts import LAST_USED, day
from server.registry.context import SYSTEM, RequestContext
from server.registry.options import Patch
from server.registry.registry import Registry

logger = logging.getLogger(__name__)

_MERGE = "application/merge-patch+json"


class LegacyUse:
    """Nothing is written before `begin`: those who authenticate are there before the registry is."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._registry: Registry | None = None
        self._tasks = Tasks("legacy-tokens")
        self._writing: set[tuple[str, str]] = set()

    def begin(self, registry: Registry) -> None:
        self._registry = registry

    async def stop(self) -> None:
        self._registry = None
        await self._tasks.stop()

    def __call__(self, namespace: str, secret: str) -> None:
        """The token of that Secret has been used."""
        place = (namespace, secret)
        if self._registry is None or place in self._writing:
            return
        self._writing.add(place)
        self._tasks.start(self._write(self._registry, namespace, secret), name=f"{namespace}/{secret}")

    async def _write(self, registry: Registry, namespace: str, name: str) -> None:
        labels = {LAST_USED: day(self._clock.now())}
        context = RequestContext(SYSTEM, field_manager="kube-apiserver")
        secrets = registry.kinds.lookup("", "v1", "secrets")
        try:
            if secrets is not None:
                patch = Patch(_MERGE, {"metadata": {"labels": labels}})
                await registry.patch(context, secrets, namespace, name, patch)
        except ApiError as error:
            logger.warning("the use of the token in secret %s/%s cannot be noted: %s", namespace, name, error)
        finally:
            self._writing.discard((namespace, name))
