"""One of many processes acts, the others stand by: whoever holds a Lease leads, for as long as it renews it.

  stand by ── no holder, or silent for the lease's duration ──> lead ── cannot renew, or another holds it ──┐
     └<─────────────────────────────────────────────────────────────────────────────────────────────────────┘

As client-go's: silence is measured on the own monotonic clock from when a change was last seen, so clocks may
differ. A leader that could not renew for RENEW_DEADLINE seconds stops, which is before another may begin;
what it has under way then fails at its next write (`fenced`). One that stops in order gives the lease back.
"""

import asyncio
import logging
import platform
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, ParamSpec, TypeVar

from kubeling.client.alarms import Alarms
from kubeling.client.errors import ConnectionLost
from kubeling.client.event_recorder import EventRecorder
from kubeling.client.protocol import Client
from kubeling.client.resources import LEASES
from kubeling.objects import meta
from kubeling.objects.clock import Clock
from kubeling.objects.errors import AlreadyExists, ApiError, Conflict, NotFound, ServiceUnavailable
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks

logger = logging.getLogger(__name__)

NAMESPACE = "kube-system"
LEASE_SECONDS = 4
RENEW_DEADLINE = 3.0
RETRY_PERIOD = 1.0

Begin = Callable[[AsyncExitStack], Awaitable[None]]
"""Begins what a leader does; its end is left with the stack."""


def identity() -> str:
    """The name of this process among all."""
    return f"{platform.node()}_{uuid.uuid4()}"


class LeaderElection:
    def __init__(
        self, client: Client, lease: str, begin: Begin, *, clock: Clock, recorder: EventRecorder
    ) -> None:
        """`lease` is the Lease's name, in kube-system. `client` and `recorder` stay the caller's."""
        self.lease = lease
        self.identity = identity()
        self._client = client
        self._begin = begin
        self._clock = clock
        self._recorder = recorder
        self._tasks = Tasks(f"leader-election-{lease}")
        self._alarms = Alarms[str](clock, self._tasks, lambda _: self._changed.set())
        self._changed = asyncio.Event()
        self._observed: Object | None = None
        self._observed_at = 0.0
        self._renewed = float("-inf")
        self._failing = False
        self._ending = False
        self._campaign: asyncio.Task[None] | None = None

    @property
    def leading(self) -> bool:
        """Whether this process holds the lease and may act: never at the same time as another."""
        return self._is_own() and self._clock.monotonic() < self._renewed + RENEW_DEADLINE

    def health(self) -> str:
        """Why this process will never lead; an empty text while it leads or stands by."""
        ended = self._campaign is not None and self._campaign.done()
        return "the leader election has ended" if ended else ""

    def start(self) -> None:
        self._campaign = self._tasks.start(self._run(), name="campaign")

    async def stop(self) -> None:
        """End what the leader does, then give the lease back."""
        self._ending = True
        self._changed.set()
        if self._campaign is not None:
            await self._campaign
        await self._tasks.stop()

    def fenced(self, client: Client) -> Client:
        """The same client, whose writes fail while this process does not lead."""
        return _Fenced(client, self)

    async def _run(self) -> None:
        informer = self._client.informer(
            LEASES, namespace=NAMESPACE, field_selector=f"metadata.name={self.lease}"
        )
        informer.add_handler(self._lease_changed)
        try:
            while not self._ending:
                await self._acquire()
                if not self._ending:
                    await self._lead()
        finally:
            informer.remove_handler(self._lease_changed)

    def _lease_changed(self, kind: str, lease: Object, _: Object | None) -> None:
        if kind != "DELETED":
            self._observe(lease)
        elif _revision(lease) >= _revision(self._observed):
            self._observe(None)

    def _observe(self, lease: Object | None) -> None:
        """Whatever is new is a sign of life, from now on. The informer may be behind our own writes."""
        if lease is not None and _revision(lease) <= _revision(self._observed):
            return
        self._observed, self._observed_at = lease, self._clock.monotonic()
        self._changed.set()

    def _is_own(self) -> bool:
        return _holder(self._observed) == self.identity

    def _remaining(self) -> float:
        """Seconds until the lease may be taken."""
        holder = _holder(self._observed)
        if not holder or holder == self.identity:
            return 0.0
        duration = float((self._observed or {})["spec"].get("leaseDurationSeconds") or 0)
        return self._observed_at + duration - self._clock.monotonic()

    async def _acquire(self) -> None:
        """Returns when the lease is ours, or all ends."""
        while not self._ending:
            self._changed.clear()
            wait = self._remaining()
            if wait <= 0:
                if await self._renew():
                    return
                wait = max(self._remaining(), RETRY_PERIOD)
            await self._pause(wait)

    async def _pause(self, seconds: float) -> None:
        self._alarms.set("pause", seconds)
        await self._changed.wait()

    async def _lead(self) -> None:
        self._tell("became leader")
        renewing = self._tasks.start(self._keep_renewing(), name="renewal")
        try:
            failed = await self._act()
        finally:
            renewing.cancel()
            await asyncio.wait((renewing,))
        self._tell("stopped leading")
        if self.leading:
            await self._release()
        if failed and not self._ending:
            await self._clock.sleep(RETRY_PERIOD)

    async def _act(self) -> bool:
        """Do what a leader does until the term is over. Whether that could not even begin."""
        async with AsyncExitStack() as parts:
            try:
                await self._begin(parts)
            except (ApiError, ConnectionLost) as error:
                logger.warning("%s: cannot begin: %s", self.lease, error)
                return True
            while self.leading and not self._ending:
                self._changed.clear()
                await self._pause(self._renewed + RENEW_DEADLINE - self._clock.monotonic())
        return False

    async def _keep_renewing(self) -> None:
        while self._is_own():
            await self._clock.sleep(RETRY_PERIOD)
            await self._renew()

    async def _renew(self) -> bool:
        """Take the lease, or renew it; whether it is ours now."""
        began = self._clock.monotonic()
        try:
            found = self._observed if self._is_own() else await self._read()
            self._observe(found)
            if self._remaining() > 0:
                return False
            self._observe(await self._write(found))
        except (Conflict, AlreadyExists):
            await self._look_again()
            return False
        except (ApiError, ConnectionLost) as error:
            log = logger.debug if self._failing else logger.warning
            log("%s: cannot hold the lease: %s", self.lease, error)
            self._failing = True
            return False
        self._renewed, self._failing = began, False
        return True

    async def _look_again(self) -> None:
        """Somebody else has written the lease."""
        try:
            self._observe(await self._read())
        except (ApiError, ConnectionLost) as error:
            logger.warning("%s: cannot read the lease: %s", self.lease, error)

    async def _read(self) -> Object | None:
        try:
            return await self._client.get(LEASES, self.lease, namespace=NAMESPACE)
        except NotFound:
            return None

    async def _write(self, found: Object | None) -> Object:
        now = meta.micro_timestamp(self._clock.now())
        old = (found or {}).get("spec") or {}
        spec: Object = {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": LEASE_SECONDS,
            "renewTime": now,
            "acquireTime": now,
            "leaseTransitions": int(old.get("leaseTransitions") or 0),
        }
        if found is None:
            own = {"name": self.lease, "namespace": NAMESPACE}
            made = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": own, "spec": spec}
            return await self._client.create(LEASES, made)
        if _holder(found) == self.identity:
            spec["acquireTime"] = old.get("acquireTime") or now
        else:
            spec["leaseTransitions"] += 1
        return await self._client.update(LEASES, {**found, "spec": {**old, **spec}})

    async def _release(self) -> None:
        """A renewal may have been cut off: what is stored now counts."""
        now = meta.micro_timestamp(self._clock.now())
        try:
            found = await self._read()
            if found is None or _holder(found) != self.identity:
                return
            spec = {
                "leaseDurationSeconds": 1,
                "renewTime": now,
                "acquireTime": now,
                "leaseTransitions": int(found["spec"].get("leaseTransitions") or 0),
            }
            await self._client.update(LEASES, {**found, "spec": spec})
        except (ApiError, ConnectionLost) as error:
            logger.warning("%s: cannot give the lease back: %s", self.lease, error)

    def _tell(self, what: str) -> None:
        logger.info("%s: %s %s", self.lease, self.identity, what)
        own = {"name": self.lease, "namespace": NAMESPACE}
        lease = self._observed or {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": own}
        self._recorder.event(lease, "Normal", "LeaderElection", f"{self.identity} {what}")


def _holder(lease: Object | None) -> str:
    return str(((lease or {}).get("spec") or {}).get("holderIdentity") or "")


def _revision(lease: Object | None) -> int:
    """A number that grows with every write; 0 of what is not there."""
    text = meta.resource_version(lease) if lease is not None else ""
    return int(text) if text.isdecimal() else 0


Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")
_Call = Callable[Arguments, Coroutine[Any, Any, Answer]]


class _Fenced:
    def __init__(self, client: Client, election: LeaderElection) -> None:
        self._client = client
        self._election = election
        self.get, self.list, self.watch = client.get, client.list, client.watch
        self.discover, self.discovery, self.fetch = client.discover, client.discovery, client.fetch
        self.informer, self.drop_informers, self.close = (
            client.informer,
            client.drop_informers,
            client.close,
        )
        self.create = self._guarded(client.create)
        self.update = self._guarded(client.update)
        self.patch = self._guarded(client.patch)
        self.delete = self._guarded(client.delete)
        self.delete_collection = self._guarded(client.delete_collection)

    def _guarded(self, call: _Call[Arguments, Answer]) -> _Call[Arguments, Answer]:
        async def guarded(*arguments: Arguments.args, **named: Arguments.kwargs) -> Answer:
            if not self._election.leading:
                raise ServiceUnavailable(f"this process does not hold the lease {self._election.lease}")
            return await call(*arguments, **named)

        return guarded
