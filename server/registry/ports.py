"""What the registry asks of storage, until it imports the store's own types."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self

from kubeling.objects.meta import Object


class Record(Protocol):
    resource: str
    namespace: str
    name: str
    uid: str
    revision: int
    created_revision: int
    labels: Mapping[str, str]
    body: bytes

    @property
    def obj(self) -> Object: ...
    def copy(self) -> Object: ...


class Event(Protocol):
    type: str
    record: Record
    previous: Record | None


class Watch(Protocol):
    revision: int

    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> list[Event]: ...
    def close(self) -> None: ...


class Store(Protocol):
    revision: int
    compacted_revision: int

    def get(self, resource: str, namespace: str, name: str) -> Record | None: ...
    def list(self, resource: str, namespace: str | None = None) -> Sequence[Record]: ...
    async def list_at(
        self,
        resource: str,
        namespace: str | None,
        *,
        revision: int,
        after: tuple[str, str] | None,
        limit: int,
    ) -> tuple[Sequence[Record], int]: ...
    async def create(self, resource: str, namespace: str, name: str, obj: dict[str, Any]) -> Record: ...
    async def update(
        self, resource: str, namespace: str, name: str, obj: dict[str, Any], *, expected: int | None
    ) -> Record: ...
    async def delete(
        self,
        resource: str,
        namespace: str,
        name: str,
        *,
        expected: int | None,
        obj: dict[str, Any] | None = None,
    ) -> Record: ...
    def watch(self, resource: str, *, namespace: str | None = None, since: int) -> Watch: ...
