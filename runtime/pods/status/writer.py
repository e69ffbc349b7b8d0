"""Writes a pod's status to the API: the newest wins, only what changed is sent, nobody waits for it.

One patch at a time is under way per pod, so an older status never overwrites a newer one; those in between
are skipped. While the server is away the newest is kept and tried again.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from kubeling.client.backoff import Backoff
from kubeling.client.errors import ConnectionLost
from kubeling.client.protocol import STRATEGIC_PATCH, Client
from kubeling.client.resources import PODS
from kubeling.objects.clock import Clock
from kubeling.objects.errors import ApiError, NotFound
from kubeling.objects.meta import Object, resource_version, uid
from runtime.pods.identity import PodIdentity
from runtime.pods.resize.report import IN_PROGRESS, PENDING
from runtime.pods.status import phase as phases

logger = logging.getLogger(__name__)

_REMOVABLE = ("message", "reason", "podIP", "podIPs", "initContainerStatuses")
_MERGED_LISTS = ("podIPs", "hostIPs")
_PASSING = (PENDING, IN_PROGRESS)
"""Conditions that are there only while they are true."""


class StatusWriter:
    def __init__(self, client: Client, clock: Clock, pod: PodIdentity) -> None:
        self._client = client
        self._clock = clock
        self._pod = pod
        self._uid = pod.uid
        self._base: Object = {}
        self.version = ""
        """The newest resourceVersion that is known."""
        self._backoff = Backoff(initial=0.1, factor=2, limit=10)
        self.due: Callable[[], None] = lambda: None
        """Is called when there is something to write, for those who do not `run` the writer but `write`."""
        self._wanted: Object | None = None
        self._changed = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()
        self._gone = False
        self._writing = False

    @property
    def latest(self) -> Object:
        """The status that the API has, or is about to have."""
        return self._wanted if self._wanted is not None else self._base

    @property
    def settled(self) -> bool:
        """Whether nothing waits to be written."""
        return self._settled.is_set()

    def saw(self, pod: Object) -> None:
        """Take note of the API's present object, unless an answer to a patch was newer."""
        if _newer(resource_version(pod), self.version):
            self._base, self.version = pod.get("status") or {}, resource_version(pod)

    def await_mirror(self) -> None:
        """The pod is not the API's: nothing is written before a mirror of it is there."""
        self._uid = ""

    def mirrored(self, mirror: Object) -> None:
        """The API shows the pod as this one. Of the first, the status is where this agent goes on - though a
        pod that is over may begin anew, as after the node's end; one that replaces another gets the last one.
        """
        if uid(mirror) == self._uid:
            self.saw(mirror)
            return
        wanted = self.latest if self.version else None
        self._uid, self.version = uid(mirror), resource_version(mirror)
        self._base, self._wanted = mirror.get("status") or {}, None
        if wanted:
            self.submit(wanted)
        elif phases.is_terminal(self._base.get("phase", "")):
            kept = {key: value for key, value in self._base.items() if key not in ("reason", "message")}
            self._wanted = {**kept, "phase": phases.PENDING}

    def submit(self, status: Object) -> None:
        """Make this the pod's status, as soon as the server takes it."""
        self._wanted = status
        if not self._gone and self._uid and status_patch(self._base, status):
            self._settled.clear()
            if not self._changed.is_set():
                self._changed.set()
                self.due()

    def abandon(self) -> None:
        """The API has the pod no more: nothing is written, nobody waits."""
        self._gone = True
        self._changed.set()
        self._settled.set()

    async def flush(self) -> None:
        """Wait until the API has the newest status, or the pod is gone."""
        await self._settled.wait()

    async def run(self) -> None:
        while not self._gone:
            await self._changed.wait()
            await self.write()

    async def write(self) -> None:
        """Write the newest status for as long as it is due. Two at a time are one: the second returns."""
        if self._writing:
            return
        self._writing = True
        try:
            while self._changed.is_set() and not self._gone:
                await self._attempt()
        finally:
            self._writing = False

    async def _attempt(self) -> None:
        self._changed.clear()
        try:
            await self._write()
            self._backoff.reset()
        except (ConnectionLost, ApiError) as error:
            logger.debug("status of pod %s waits for the server: %s", self._pod, error)
            self._changed.set()
            await self._clock.sleep(self._backoff.next())

    async def _write(self) -> None:
        patch = status_patch(self._base, self._wanted or {})
        if patch:
            try:
                await self._patch(patch)
            except NotFound:
                self._lost()
            except ApiError as error:
                if _passes(error):
                    raise
                logger.error("the server refuses the status of pod %s: %s", self._pod, error)
        if not self._changed.is_set():
            if not status_patch(self._base, self._wanted or {}):
                self._wanted = None  # the API has it: it need not be kept twice
            self._settled.set()

    def _lost(self) -> None:
        """The API has it no more; of a mirror another may come."""
        if self._uid == self._pod.uid:
            self.abandon()
        else:
            self.await_mirror()

    async def _patch(self, patch: Object) -> None:
        answer = await self._client.patch(
            PODS,
            self._pod.name,
            {"metadata": {"uid": self._uid}, "status": patch},
            namespace=self._pod.namespace,
            subresource="status",
            content_type=STRATEGIC_PATCH,
        )
        self._base, self.version = answer.get("status") or {}, resource_version(answer)


def _passes(error: ApiError) -> bool:
    """Whether the same patch may be taken later: the server is busy, ill, or another write came first."""
    return error.code in (409, 429) or error.code >= 500


def status_patch(base: Object, wanted: Object) -> Object:
    """The strategic merge patch from one status to the other; {} when nothing has to be said."""
    patch: Object = {}
    for key, value in wanted.items():
        if key == "conditions":
            value = _changed_conditions(base.get(key) or [], value)
            if value:
                patch[key] = value
                patch["$setElementOrder/conditions"] = [{"type": each["type"]} for each in wanted[key]]
        elif base.get(key) != value:
            replaced = key in _MERGED_LISTS and base.get(key)
            patch[key] = [{"$patch": "replace"}, *value] if replaced else value
    patch |= {key: None for key in _REMOVABLE if key in base and key not in wanted}
    return patch


def _changed_conditions(base: list[Object], wanted: list[Object]) -> list[Object]:
    present = {each.get("type"): each for each in base}
    changed = []
    for condition in wanted:
        old = present.get(condition["type"]) or {}
        if old != condition:
            gone: dict[str, Any] = {key: None for key in ("reason", "message") if key in old}
            changed.append({**gone, **condition})
    left = {each["type"] for each in wanted}
    passing = [kind for kind in _PASSING if kind in present and kind not in left]
    return [*changed, *({"type": kind, "$patch": "delete"} for kind in passing)]


def _newer(version: str, than: str) -> bool:
    """Revisions are numbers that grow; anything else counts as newer."""
    if version.isdigit() and than.isdigit():
        return int(version) >= int(than)
    return True
