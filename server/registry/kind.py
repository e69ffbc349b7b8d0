"""What a kind is: its names, versions, verbs and subresources, and the strategy that holds its behaviour."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from kubeling.objects.errors import GroupResource
from server.schema.nodes import Struct
from server.schema.types import struct_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubeling.objects.meta import Object
    from server.registry.strategy import Strategy
    from server.storage import Record

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Subresource:
    """A subresource for discovery and dispatch: the kind of its body and its verbs."""

    kind: str
    verbs: tuple[str, ...]
    group: str = ""
    """With `version`, where `kind` lives; both empty when it is the parent's group and version."""
    version: str = ""
    older: tuple[str, ...] = ()
    """Versions of the same form that a body may still be of."""


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where the scale subresource finds what it shows and sets."""

    spec: tuple[str, ...] = ("spec", "replicas")
    status: tuple[str, ...] = ("status", "replicas")
    selector: tuple[str, ...] = ("spec", "selector")
    required: bool = False
    """An object without replicas in its spec has no scale."""


class StoredForm(Protocol):
    """How objects are stored, where that is not how the registry's operations see them.

    A custom resource is a kind of its own in each served version; its objects are stored in one version, and
    what is stored may be older than the schema. A failed conversion is an ApiError.
    """

    @property
    def version(self) -> str:
        """The version that objects are written in."""
        ...

    def seen(self, record: "Record") -> "Record | None":
        """What the operations see of a stored record, of what is at hand; None when it must be converted."""
        ...

    def written(self, record: "Record") -> "Record | None":
        """The same for a record that has just been stored."""
        ...

    async def seen_all(self, records: "Sequence[Record]") -> "Sequence[Record]":
        """`seen` for many, converting what must be; lets others work in between."""
        ...

    async def convert(self, records: "Sequence[Record]") -> "list[Record]":
        """What `seen` had no answer for, as the operations see it."""
        ...

    def translated(self, obj: "Object", api_version: str) -> "tuple[Struct, Object] | None":
        """An object of the operations in another apiVersion of the kind, with its type; None when it cannot
        be made. Raises Unconverted (`registry.unconverted`)."""
        ...

    async def stored(self, obj: "Object") -> "Object":
        """An object of the operations as it is to be stored. May change it in place."""
        ...


@dataclass(frozen=True, eq=False)
class Kind:
    """One resource of one API group. Compared by identity; found through `kinds`."""

    group: str
    kind: str
    plural: str
    strategy: "Strategy"
    versions: tuple[str, ...] = ("v1",)
    """Served versions, the preferred one first."""
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: Mapping[str, Subresource] = field(default_factory=lambda: MappingProxyType({}))
    storage_version: str = ""
    """The version objects are stored in, when it is not the preferred one."""
    stored_as: "Kind | None" = None
    """Another kind whose objects these are: events.k8s.io's Events are core's."""
    own_singular: str = ""
    """The singular, when it is not the kind in small letters."""
    own_list_kind: str = ""
    """The kind of a list of the objects, when it is not the kind and "List"."""
    types: Callable[[str], Struct | None] | None = None
    """The type of the objects by version, for kinds that the definitions do not have: custom resources."""
    form: StoredForm | None = None
    """How objects are stored; None when as they are."""
    deprecations: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Served versions that are deprecated, with the text that a client is warned with."""
    scale_paths: ScalePaths = ScalePaths()
    custom_schema: "Object | None" = None
    """The OpenAPI schema to publish, for a custom resource; empty when nothing is known."""
    computed: bool = False
    """Objects are not stored but made when they are asked for."""
    posted_to: "tuple[Kind, str] | None" = None
    """Creating one is POSTing it to this subresource of the object that it names: bindings."""
    terminating: bool = False
    """The kind is going: its objects can be read, changed and deleted, but no new ones come."""

    @cached_property
    def resource(self) -> GroupResource:
        return GroupResource(self.group, self.plural)

    @cached_property
    def stored_in(self) -> str:
        """The store's name for the resource."""
        return str((self.stored_as or self).resource)

    @cached_property
    def version(self) -> str:
        """The version that objects are stored in."""
        return (self.stored_as or self).storage_version or (self.stored_as or self).versions[0]

    @cached_property
    def storage_api_version(self) -> str:
        return api_version((self.stored_as or self).group, self.version)

    @property
    def custom(self) -> bool:
        """Whether a CustomResourceDefinition has made the kind."""
        return self.custom_schema is not None or self.form is not None

    @property
    def listed_verbs(self) -> tuple[str, ...]:
        """The verbs that discovery tells of."""
        going = ("delete", "deletecollection", "get", "list", "watch")
        return going if self.terminating else self.verbs

    @property
    def singular(self) -> str:
        return self.own_singular or self.kind.lower()

    @property
    def list_kind(self) -> str:
        return self.own_list_kind or f"{self.kind}List"

    @property
    def stored(self) -> bool:
        """Whether objects of the kind are stored; reviews (create only) and what is computed are not."""
        return "get" in self.verbs and not self.computed

    def struct(self, version: str) -> Struct | None:
        """The compiled type of the kind's objects in a served version; None when nothing is known of it."""
        return self.types(version) if self.types else struct_of(self.group, version, self.kind)

    def api_version(self, version: str) -> str:
        return api_version(self.group, version)

    def __repr__(self) -> str:
        return f"<Kind {self.resource}>"


def api_version(group: str, version: str) -> str:
    """`v1`, `apps/v1`: what stands in an object's apiVersion."""
    return f"{group}/{version}" if group else version
