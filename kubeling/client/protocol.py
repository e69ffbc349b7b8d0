"""What every client offers: over HTTP, in the server's process, and in memory for tests.

A controller written against these protocols cannot tell which one it has. All raise the errors of
`kubeling.objects.errors`; over HTTP also `ConnectionLost`.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from kubeling.client.resources import Resource
from kubeling.objects.meta import Object

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"


class Listing(NamedTuple):
    """The items of a collection, and the revision of the collection that they show."""

    items: list[Object]
    resource_version: str


class WatchEvent(NamedTuple):
    """ADDED, MODIFIED, DELETED, or BOOKMARK, whose object has only a resourceVersion to resume from."""

    type: str
    object: Object


class Discovery(NamedTuple):
    """What the server serves; no subresources."""

    preferred: Sequence[Resource]
    """Every resource once, in its preferred version."""
    every: Sequence[Resource]
    """Every resource in each version that it is served in."""
    failures: Mapping[str, str]
    """Why nothing current is known of a `group/version`: another server answers it, and is away."""


Handler = Callable[[str, Object, Object | None], None]
"""Called with ADDED, MODIFIED or DELETED, the object, and the object before (None when ADDED)."""


class Informer(Protocol):
    """What the server holds of one resource, kept current. Its objects are shared: never change them."""

    @property
    def synced(self) -> bool:
        """Whether the first complete list has been taken over and handed to the handlers."""
        ...

    async def wait_synced(self) -> None:
        """Wait until `synced`; as long as it takes when the server is away."""
        ...

    def get(self, namespace: str, name: str) -> Object | None:
        """The object, "" being the namespace of cluster-scoped ones."""
        ...

    def list(self, namespace: str | None = None) -> list[Object]:
        """All objects, or those of one namespace, in no particular order."""
        ...

    def add_handler(self, handler: Handler) -> None:
        """Hand each change to `handler`, beginning with an ADDED for every object that is known already.

        Changes of one object come in order; changes in between may be folded into one. The handler runs in
        the event loop after `get` and `list` show the change. An exception in it is logged and hurts nobody.
        """
        ...

    def remove_handler(self, handler: Handler) -> None: ...


class Client(Protocol):
    """Requests to one API server, as one user."""

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", subresource: str = ""
    ) -> Object:
        """Raises: NotFound, ..."""
        ...

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Listing:
        """All objects, of one namespace or (None) of all."""
        ...

    async def create(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        """Create in the object's namespace; a subresource (`binding`) goes to the object of that name."""
        ...

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        """Replace. With a resourceVersion in the object it is a compare-and-swap that raises Conflict."""
        ...

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Mapping[str, Any] | Sequence[Object],
        *,
        namespace: str = "",
        subresource: str = "",
        content_type: str = MERGE_PATCH,
    ) -> Object: ...

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        grace_period_seconds: int | None = None,
        preconditions: Mapping[str, str] | None = None,
        propagation_policy: str | None = None,
    ) -> Object:
        """Ask for deletion; `preconditions` are uid and resourceVersion. Returns the object or a Status."""
        ...

    async def delete_collection(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        grace_period_seconds: int | None = None,
        propagation_policy: str | None = None,
    ) -> None: ...

    def watch(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
    ) -> AsyncGenerator[WatchEvent, None]:
        """Changes after `resource_version`, until the server ends the watch. Close it with `aclosing`.

        An ERROR from the server is raised as the API error that it carries: Expired when history is gone.
        """
        ...

    async def discover(self) -> Sequence[Resource]:
        """Every resource that the server serves, each once in its preferred version; no subresources."""
        ...

    async def discovery(self) -> Discovery:
        """As `discover`, with every version, and with what could not be learned."""
        ...

    async def fetch(self, path: str, parameters: Mapping[str, str]) -> Object:
        """GET any path below /apis: for APIs of other servers whose resources are not as others are.

        Raises: NotFound, when nobody answers there; ...
        """
        ...

    def informer(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        field_selector: str = "",
        metadata_only: bool = False,
    ) -> Informer:
        """The shared informer; made, and started in the background, on first request.

        `metadata_only`: whoever asks looks at the metadata alone, and perhaps gets no more.
        """
        ...

    def drop_informers(self, resource: Resource) -> None:
        """The resource is served no longer: its informers end, and their handlers hear nothing more.

        Whoever asks for one later gets a new one.
        """
        ...

    async def close(self) -> None:
        """Stop the informers and drop connections."""
        ...
