"""The life of custom resources: follows the definitions in the store, keeps their status, serves their kinds.

    created ── names accepted ──> Established, served ── deleted ──> Terminating ── instances gone ──> gone
                   └── a name is taken: NamesAccepted=False, not served, until it is free

A kind is served before its definition says so, and what discovery says changes in the same step. Emptying a
kind that goes is `cleanup`'s business. Several servers on one database all do this: who loses a race looks
again, and finds it done.
"""

import copy
import logging
from collections.abc import Sequence
from dataclasses import replace

from kubeling.objects import conditions
from kubeling.objects.clock import Clock
from kubeling.objects.errors import ApiError, Conflict, NotFound
from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks
from server.registry.context import SYSTEM, RequestContext
from server.registry.custom import names
from server.registry.custom.api_services import keep_api_services
from server.registry.custom.approval import approval, is_protected
from server.registry.custom.cleanup import Cleanup
from server.registry.custom.conversion import Post
from server.registry.custom.definition import FINALIZER, GROUP, RESOURCE, Definition
from server.registry.custom.kinds import kinds_of
from server.registry.kind import Kind
from server.registry.registry import Registry
from server.storage import Store
from server.storage.errors import Compacted, WatchOverflow

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
_MANAGER = "kube-apiserver"


class CustomResources:
    def __init__(self, registry: Registry, store: Store, clock: Clock, post: Post) -> None:
        self._registry = registry
        self._store = store
        self._clock = clock
        self._post = post
        self._tasks = Tasks("custom-resources")
        self._served: dict[str, _Served] = {}
        self._revision = store.revision
        kind = registry.kinds.lookup(GROUP, "v1", RESOURCE.resource)
        assert kind is not None
        self._kind: Kind = kind
        self._built_in = {each.resource for each in registry.kinds.all()}
        self._cleanup = Cleanup(registry, store, kind, clock, post, self._tasks)

    def start(self) -> None:
        """Serve what is established, and follow the definitions from now on."""
        for record in self._store.list(self._kind.stored_in):
            definition = Definition(record.obj)
            if definition.holds("Established"):
                self._serve(definition)
        self._tasks.start(self._follow(), name="definitions")

    async def stop(self) -> None:
        await self._tasks.stop()

    async def _follow(self) -> None:
        await self._look_at_all()
        while True:
            try:
                async with self._store.watch(self._kind.stored_in, since=self._revision) as watch:
                    async for batch in watch:
                        for name in dict.fromkeys(event.record.name for event in batch):
                            await self._look_at(name)
                        self._revision = watch.revision
                return
            except (WatchOverflow, Compacted):
                self._revision = self._store.revision
                await self._look_at_all()

    async def _look_at_all(self) -> None:
        stored = [record.name for record in self._store.list(self._kind.stored_in)]
        for name in dict.fromkeys([*stored, *self._served]):
            await self._look_at(name)

    async def _look_at(self, name: str) -> None:
        """Bring one definition's status and kinds up to date; tried again later when that fails."""
        try:
            await self._reconcile(name)
            await keep_api_services(self._registry, self._store, name.partition(".")[2])
        except ApiError as error:
            logger.warning("custom resource definition %s: %s", name, error)
            self._tasks.start(self._again(name), name=f"retry {name}")

    async def _again(self, name: str) -> None:
        await self._clock.sleep(RETRY_SECONDS)
        await self._look_at(name)

    async def _reconcile(self, name: str) -> None:
        while True:
            record = self._store.get(self._kind.stored_in, "", name)
            if record is None:
                await self._forget(name)
                return
            wanted = copy.deepcopy(record.obj)
            self._judge(wanted)
            definition = Definition(wanted)
            if definition.holds("Established"):
                self._serve(definition)
            if wanted != record.obj and not await self._write_status(wanted):
                continue
            if definition.terminating and FINALIZER in (wanted["metadata"].get("finalizers") or ()):
                self._cleanup.start(name)
            return

    def _judge(self, obj: Object) -> None:
        """Set what the status should say."""
        definition, now = Definition(obj), self._clock.now()
        acceptance = names.accept(definition, self._others(definition))
        status = obj.setdefault("status", {})
        status["acceptedNames"] = acceptance.names
        if status.get("conditions") is None:
            status["conditions"] = []
        accepted = "True" if acceptance.accepted else "False"
        conditions.set_condition(
            obj,
            "NamesAccepted",
            accepted,
            reason=acceptance.reason,
            message=acceptance.message,
            now=now,
        )
        self._establish(obj, accepted=acceptance.accepted)
        if is_protected(definition.group):
            found = approval(obj)
            conditions.set_condition(
                obj,
                "KubernetesAPIApprovalPolicyConformant",
                found.status,
                reason=found.reason,
                message=found.message,
                now=now,
            )

    def _establish(self, obj: Object, *, accepted: bool) -> None:
        """What is established once stays so."""
        if conditions.is_true(obj, "Established"):
            return
        if accepted:
            status, reason, message = "True", "InitialNamesAccepted", "the initial names have been accepted"
        else:
            status, reason, message = "False", "NotAccepted", "not all names are accepted"
        conditions.set_condition(
            obj, "Established", status, reason=reason, message=message, now=self._clock.now()
        )

    def _others(self, definition: Definition) -> Sequence[Definition]:
        found = (Definition(record.obj) for record in self._store.list(self._kind.stored_in))
        return [each for each in found if each.group == definition.group and each.name != definition.name]

    async def _write_status(self, obj: Object) -> bool:
        """Whether it is written; it is not when somebody else has changed the definition."""
        context = RequestContext(SYSTEM, field_manager=_MANAGER)
        try:
            await self._registry.update(
                context, self._kind, "", obj["metadata"]["name"], obj, version="v1", subresource="status"
            )
        except (Conflict, NotFound):
            return False
        return True

    def _serve(self, definition: Definition) -> None:
        """Serve the kinds, unless they are served as they are already, or are built in."""
        if definition.resource in self._built_in:
            return
        known = self._served.get(definition.name)
        if known is not None and known.is_for(definition):
            return
        if known is not None and known.is_alike(definition):
            kinds = known.ending(terminating=definition.terminating)
        else:
            kinds = kinds_of(definition, self._post)
        self._served[definition.name] = _Served(definition, kinds)
        if kinds:
            self._registry.kinds.add(*kinds)
        elif known is not None:
            self._registry.kinds.remove(*known.kinds)

    async def _forget(self, name: str) -> None:
        """A definition has gone: its kinds are served no longer, and its names are free."""
        known = self._served.pop(name, None)
        if known is not None:
            self._registry.kinds.remove(*known.kinds)
        group = name.partition(".")[2]
        for record in self._store.list(self._kind.stored_in):
            if Definition(record.obj).group == group and not conditions.is_true(record.obj, "NamesAccepted"):
                await self._reconcile(record.name)


class _Served:
    """What is served for a definition, and what it was made from."""

    def __init__(self, definition: Definition, kinds: list[Kind]) -> None:
        self.kinds = kinds
        self._spec = definition.spec
        self._accepted = definition.accepted
        self._terminating = definition.terminating
        self._uid = definition.obj["metadata"].get("uid")

    def is_for(self, definition: Definition) -> bool:
        return self._terminating == definition.terminating and self.is_alike(definition)

    def is_alike(self, definition: Definition) -> bool:
        """Whether the kinds are the same, but for being about to go."""
        return (
            self._spec == definition.spec
            and self._accepted == definition.accepted
            and self._uid == definition.obj["metadata"].get("uid")
        )

    def ending(self, *, terminating: bool) -> list[Kind]:
        """The same kinds: their watches go on."""
        return [replace(kind, terminating=terminating) for kind in self.kinds]
