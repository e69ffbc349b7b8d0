"""The protocol between the registry and admission control; `server.admission` implements it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from kubeling.objects.meta import Object
from server.registry.context import RequestContext
from server.registry.kind import Kind


@dataclass(slots=True)
class Attributes:
    """A write on its way: what admission sees, and (in `mutate`) may change in place."""

    context: RequestContext
    kind: Kind
    version: str
    """The version of the request; `obj` and `old` are in the storage version."""
    operation: str
    """CREATE, UPDATE, DELETE or CONNECT."""
    namespace: str
    name: str
    subresource: str = ""
    obj: Object | None = None
    """The new object, defaulted; for CONNECT the connection's options (PodExecOptions); None for DELETE."""
    old: Object | None = None
    """The stored object for UPDATE and DELETE; not to be changed."""
    options: Object = field(default_factory=dict)
    now: datetime | None = None

    @property
    def shown_name(self) -> str:
        """For a refusal's message: what a name will be generated from, while there is no name yet."""
        own = (self.obj or {}).get("metadata") or {}
        return self.name or str(own.get("name") or own.get("generateName") or "")


class Admission(Protocol):
    async def mutate(self, attributes: Attributes) -> None:
        """Change `attributes.obj` in place, or refuse with an ApiError. Called before validation."""
        ...

    async def validate(self, attributes: Attributes) -> None:
        """Refuse with an ApiError, or do nothing. Called after validation, just before the store."""
        ...


class AdmitAll:
    """No admission control: for tests, and for writes that the server makes while it starts."""

    async def mutate(self, attributes: Attributes) -> None:
        return None

    async def validate(self, attributes: Attributes) -> None:
        return None
