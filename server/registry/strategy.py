"""The behaviour of a kind, as hooks of the generic operations. A kind overrides what differs from this class.

A strategy holds no state: what it needs of the world comes in a `Scope`. Objects are dicts in the kind's
storage version, decoded and pruned; hooks change them in place. Field paths and messages are upstream's.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import subdomain_errors
from server.registry.causes import required
from server.registry.columns import NAME_AND_CREATED, Column, name_and_created
from server.registry.context import RequestContext
from server.registry.kind import Kind
from server.registry.options import DeleteOptions
from server.registry.settings import Settings
from server.schema.required import missing_fields
from server.schema.types import struct_of
from server.storage import Store

if TYPE_CHECKING:
    from server.registry.environment import Environment


@dataclass(frozen=True, slots=True)
class Scope:
    """The surroundings of one write: who, which kind, when, and the rest of the cluster's objects to read."""

    context: RequestContext
    kind: Kind
    now: datetime
    store: Store
    settings: Settings


Action = Callable[["Environment", RequestContext, Kind, str, str, Object], Awaitable[Object]]
"""POST to a subresource: environment, context, kind, namespace, name, decoded body; gives the answer."""


class Strategy:
    actions: ClassVar[Mapping[str, Action]] = {}
    """Subresources that are created rather than read and written: pods/binding, pods/eviction."""
    selectable: tuple[str, ...] = ()
    """Fields for field selectors, beside metadata.name and metadata.namespace."""
    columns: Sequence[Column] = NAME_AND_CREATED
    has_generation: ClassVar[bool] = False
    """metadata.generation counts the changes of everything but metadata and status."""
    changes_last: ClassVar[bool] = False
    """An update's error names forbidden changes after what is wrong with the new object, not before."""
    create_on_update: ClassVar[bool] = False
    """PUT of a name that does not exist creates it."""
    unconditional_update: ClassVar[bool] = True
    """PUT without a resourceVersion is allowed."""
    returns_deleted: ClassVar[bool] = False
    """DELETE answers with the object rather than with a Status."""
    graceful: ClassVar[bool] = False
    """Deletion may take a while, which a second one can only shorten (pods)."""
    has_dependents: ClassVar[bool] = True
    """The garbage collector looks after the kind; a propagation policy means nothing to the others."""
    orphans_by_default: ClassVar[bool] = False
    """DELETE without a propagation policy leaves the dependents alone (ReplicationControllers, Jobs)."""
    reset_by_status: ClassVar[Sequence[str]] = ("spec",)
    """What an update of /status does not take from a client; see `reset_fields`."""
    finals_recorded: ClassVar[bool] = False
    """Deletion at once still marks the object first, so that watchers see a deletionTimestamp (pods)."""

    def name_errors(self, name: str) -> list[str]:
        return subdomain_errors(name)

    def field(self, obj: Object, path: str) -> str:
        """The value of a selectable field as text, "" when it is absent."""
        return field_text(obj, path)

    def to_storage(self, obj: Object, version: str) -> Object:
        """The object, which came in this served version, in the storage version. May change it in place."""
        return obj

    def from_storage(self, obj: Object, version: str) -> Object:
        """The inverse of `to_storage`, for an object that may be changed."""
        return obj

    def default(self, obj: Object) -> None:
        """Fill in what the API documents as defaults. Idempotent; runs on create and on update."""

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        """Set what only the server may set at creation; drop what a client may not."""
        if "status" in scope.kind.subresources:
            obj["status"] = {}

    def narrowed(self, scope: Scope, subresource: str, obj: Object, old: Object) -> Object:
        """What an update (`subresource` "": of the object itself) may touch; the rest is `old`'s."""
        if subresource in self.actions:
            return obj  # an action has written exactly what it changes
        if subresource == "status":
            return {**old, "metadata": obj.get("metadata") or {}, "status": obj.get("status") or {}}
        if "status" in scope.kind.subresources:
            obj["status"] = old.get("status") or {}
        return obj

    def reset_fields(self, kind: Kind, subresource: str) -> Sequence[str]:
        """Paths, such as `metadata.labels`, of what an update through the subresource ("": of the object
        itself) never takes from a client: nobody comes to own it that way."""
        if subresource == "status":
            return self.reset_by_status
        return ("status",) if "status" in kind.subresources else ()

    def prepare_for_update(self, scope: Scope, obj: Object, old: Object) -> None:
        """Keep what an update of the object itself may not change. `obj` is narrowed already."""

    def prepare_for_status_update(self, scope: Scope, obj: Object, old: Object) -> None:
        """The same for subresources that are updated: /status and the like."""

    def validate(self, obj: Object) -> list[Cause]:
        """What is wrong with the object, on create and on update. Here: the required texts it lacks."""
        group, _, version = obj["apiVersion"].rpartition("/")
        struct = struct_of(group, version, obj["kind"])
        return [required(path) for path in missing_fields(struct, obj)] if struct else []

    def validate_again(self, obj: Object, old: Object) -> list[Cause]:
        """`validate` at an update; what has not changed need not be looked at again."""
        return self.validate(obj)

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        """What `validate` cannot see: changes that are not allowed. `validate` runs as well."""
        return []

    def validate_status_update(self, obj: Object, old: Object) -> list[Cause]:
        """Instead of the other two, for subresources."""
        return []

    def validate_create(self, obj: Object) -> list[Cause]:
        """What may not be so at creation, though an update may make it so. `validate` runs as well."""
        return []

    def prepare_for_subresource_update(
        self, scope: Scope, subresource: str, obj: Object, old: Object
    ) -> None:
        """Before `validate_subresource_update`; for kinds that have more than /status."""
        self.prepare_for_status_update(scope, obj, old)

    def validate_subresource_update(self, subresource: str, obj: Object, old: Object) -> list[Cause]:
        """For kinds that have more than /status."""
        return self.validate_status_update(obj, old)

    def warnings(self, obj: Object) -> list[str]:
        """Texts for `Warning` headers: deprecated or useless fields."""
        return []

    def update_warnings(self, obj: Object, old: Object) -> list[str]:
        """The same for an update of the object itself."""
        return self.warnings(obj)

    def reserve(self, scope: Scope, obj: Object, old: Object | None) -> AbstractAsyncContextManager[None]:
        """Holds what the object takes from a shared pool (addresses, ports) while it is being stored."""
        return nullcontext()

    async def release(self, scope: Scope, obj: Object) -> None:
        """Gives back what an object that has just been removed held of a shared pool."""

    def grace_period(self, obj: Object, options: DeleteOptions) -> int:
        """The seconds between the deletion of `obj` and its removal; 0 removes it at once."""
        return 0

    def prepare_for_delete(self, scope: Scope, obj: Object) -> None:
        """Deletion of `obj`, which has its deletionTimestamp, has been asked for, but it stays a while."""

    def may_be_removed(self, obj: Object) -> bool:
        """Whether an object whose deletion was asked for, and has no finalizers left, can go."""
        return not obj["metadata"].get("deletionGracePeriodSeconds")

    def must_stay(self, obj: Object) -> bool:
        """Whether deletion can only mark the object: somebody has to clean up first (namespaces)."""
        return False

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        """The values under `columns`, for a Table."""
        return name_and_created(obj)


def field_text(obj: Object, path: str) -> str:
    """The value at a dotted path as field selectors compare it."""
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
