"""ResourceQuota: what is created or grows is charged to the quotas of its namespace first, or refused.

A charge is a compare-and-swap of the quota's status, so no two requests, of whichever server, ever get the
same piece. What arrives while a namespace's quotas are being written is charged together with the next
write. A namespace without quotas costs one look-up.

A charge for an object that then is not stored stays until the quota controller counts anew.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field

from kubeling.objects import resource_list
from kubeling.objects.clock import Clock, SystemClock
from kubeling.objects.errors import (
    ApiError,
    Forbidden,
    GroupResource,
    InternalError,
    NotFound,
    conflict,
    forbidden,
)
from kubeling.objects.quota import Evaluator, evaluator_of, matches
from kubeling.objects.resource_list import ResourceList
from kubeling.objects.tasks import Tasks
from server.admission.chain import Plugin
from server.registry.admission import Attributes
from server.registry.groups.core.kinds import RESOURCE_QUOTAS
from server.registry.kind import Kind
from server.registry.translation import translated
from server.storage.errors import RevisionConflict
from server.storage.record import Record
from server.storage.store import Store

_ATTEMPTS = 20
_IGNORED = frozenset((GroupResource("", "events"), GroupResource("events.k8s.io", "events")))
"""Kinds that were never counted."""


@dataclass(eq=False, slots=True)
class _Charge:
    """One request, waiting for the answer."""

    attributes: Attributes
    evaluator: Evaluator
    answer: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def admit(self) -> None:
        if not self.answer.done():
            self.answer.set_result(None)

    def refuse(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


@dataclass(slots=True)
class _Quota:
    """A stored quota, and what will have been used of it after the charges looked at so far."""

    record: Record
    used: ResourceList

    @property
    def hard(self) -> ResourceList:
        return (self.record.obj.get("status") or {}).get("hard") or {}

    @property
    def changed(self) -> bool:
        return self.used is not _used(self.record)


def _used(record: Record) -> ResourceList:
    found: ResourceList = (record.obj.get("status") or {}).get("used") or _NOTHING
    return found


_NOTHING: ResourceList = {}


class ResourceQuota(Plugin):
    def __init__(self, store: Store, clock: Clock | None = None) -> None:
        self._store = store
        self._clock = clock or SystemClock()
        self._tasks = Tasks("resource-quota")
        self._waiting: dict[str, list[_Charge]] = {}
        """By namespace; an entry is there as long as somebody works on the namespace."""

    def concerns(self, kind: Kind, operation: str, subresource: str) -> bool:
        if not kind.namespaced or not kind.stored or kind.resource in _IGNORED:
            return False
        return evaluator_of(kind.resource).charges(operation, subresource)

    def validate(self, attributes: Attributes) -> Awaitable[None] | None:
        """
        Raises:
            Forbidden: a quota does not leave room for it.
            Conflict: the quotas were changed by others all the time.
        """
        if not self._store.list(RESOURCE_QUOTAS.stored_in, attributes.namespace):
            return None
        evaluator = evaluator_of(attributes.kind.resource)
        if not self._takes(attributes, evaluator):
            return None
        return self._charged(_Charge(attributes, evaluator))

    def _takes(self, attributes: Attributes, evaluator: Evaluator) -> bool:
        new, old, kind = attributes.obj, attributes.old, attributes.kind
        if new is None:
            return False
        if attributes.operation == "CREATE":  # that a name is taken will be told by whoever stores the object
            return self._store.get(kind.stored_in, attributes.namespace, attributes.name) is None
        if old is None:
            return False
        return bool(attributes.subresource) or evaluator.charges_update(new, old)

    async def _charged(self, charge: _Charge) -> None:
        namespace = charge.attributes.namespace
        if namespace in self._waiting:
            self._waiting[namespace].append(charge)
        else:
            self._waiting[namespace] = [charge]
            self._tasks.start(self._work(namespace), name=namespace)
        await charge.answer

    async def _work(self, namespace: str) -> None:
        try:
            while charges := self._waiting[namespace]:
                self._waiting[namespace] = []
                await self._answer(namespace, charges)
        finally:
            del self._waiting[namespace]

    async def _answer(self, namespace: str, charges: Sequence[_Charge]) -> None:
        failure: ApiError = InternalError("Internal error occurred: resource quota evaluation failed")
        try:
            await self._settle(namespace, charges)
        except ApiError as error:
            failure = error
        finally:
            for charge in charges:  # whatever happened, nobody waits for ever
                charge.refuse(failure)

    async def _settle(self, namespace: str, charges: Sequence[_Charge]) -> None:
        """Answer all the charges, with one write of each quota that they take from."""
        left: set[str] | None = None
        for _ in range(_ATTEMPTS):
            found = self._store.list(RESOURCE_QUOTAS.stored_in, namespace)
            quotas = [_Quota(each, _used(each)) for each in found if left is None or each.name in left]
            for charge in charges:
                if not charge.answer.done():
                    self._weigh(charge, quotas)
            left = {quota.record.name for quota in quotas if quota.changed and not await self._write(quota)}
            if not left:
                break
        for charge in charges:
            if left:
                charge.refuse(conflict(RESOURCE_QUOTAS.resource, sorted(left)[0]))
            else:
                charge.admit()

    def _weigh(self, charge: _Charge, quotas: Sequence[_Quota]) -> None:
        """Refuse the charge, admit it if it takes nothing, or take it from the quotas."""
        try:
            taken = [(quota, self._share(charge, quota)) for quota in quotas]
        except ApiError as error:
            charge.refuse(error)
            return
        shares = [(quota, share) for quota, share in taken if share]
        if charge.attributes.context.dry_run or not shares:
            charge.admit()
            return
        for quota, share in shares:
            quota.used = resource_list.add(quota.used, share)

    def _share(self, charge: _Charge, quota: _Quota) -> ResourceList:
        """What the charge takes of the quota. Raises Forbidden: it leaves no room."""
        attributes, evaluator = charge.attributes, charge.evaluator
        new = attributes.obj or {}
        if not matches(evaluator, quota.record.obj, quota.hard, new):
            return _NOTHING
        self._check_countable(charge, quota)
        delta = resource_list.masked(self._delta(charge, quota), quota.hard)
        delta = resource_list.masked(delta, [name for name in delta if delta[name] != "0"])
        after = resource_list.masked(resource_list.add(quota.used, delta), delta)
        if exceeded := resource_list.exceeding(after, quota.hard):
            told = [
                f"{what}: {resource_list.as_text(resource_list.masked(amounts, exceeded))}"
                for what, amounts in (("requested", delta), ("used", quota.used), ("limited", quota.hard))
            ]
            raise _refused(charge, f"exceeded quota: {quota.record.name}, {', '.join(told)}")
        return delta

    def _check_countable(self, charge: _Charge, quota: _Quota) -> None:
        limited = charge.evaluator.matching(quota.hard)
        name = quota.record.name
        if why := charge.evaluator.constraint(limited, charge.attributes.obj or {}):
            raise _refused(charge, f"failed quota: {name}: {why}")
        if not all(each in quota.used for each in limited):
            unknown = ",".join(sorted(limited))
            raise _refused(charge, f"status unknown for quota: {name}, resources: {unknown}")

    def _delta(self, charge: _Charge, quota: _Quota) -> ResourceList:
        """All that the object takes or, if it has been counted here before, by how much that grows."""
        attributes, evaluator = charge.attributes, charge.evaluator
        now = attributes.now or self._clock.now()
        usage = evaluator.usage(attributes.obj or {}, now)
        if negative := resource_list.negative(usage):
            raise _refused(charge, f"quota usage is negative for resource(s): {','.join(sorted(negative))}")
        old = attributes.old
        if old is None or not matches(evaluator, quota.record.obj, quota.hard, old):
            return usage
        return resource_list.increase(usage, evaluator.usage(old, now))

    async def _write(self, quota: _Quota) -> bool:
        """Store what is used now; whether nobody else has changed the quota meanwhile."""
        record = quota.record
        fresh = {**record.obj, "status": {**(record.obj.get("status") or {}), "used": dict(quota.used)}}
        try:
            with translated(RESOURCE_QUOTAS, record.name):
                await self._store.update(*record.key, fresh, expected=record.revision)
        except (RevisionConflict, NotFound):
            return False
        return True


def _refused(charge: _Charge, why: str) -> Forbidden:
    return forbidden(charge.attributes.kind.resource, charge.attributes.name, why)
