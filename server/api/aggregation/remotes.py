"""The groups and versions that other servers answer, as the APIServices say; kept by who watches these."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object

Key = tuple[str, str]
"""Group and version."""


@dataclass(frozen=True, slots=True)
class Remote:
    group: str
    version: str
    namespace: str
    service: str
    port: int
    bundle: str = ""
    """The authorities of its certificate, base64; empty for the system's."""
    insecure: bool = False
    available: bool = False
    resources: Sequence[Object] = field(default=())
    """What it said when it was last asked, as in an APIResourceList."""
    schema: str = ""
    """The URL of its OpenAPI document, relative to the server."""

    @property
    def key(self) -> Key:
        return self.group, self.version

    @property
    def host(self) -> str:
        """What its certificate is for."""
        return f"{self.service}.{self.namespace}.svc"

    @property
    def path(self) -> str:
        return f"/apis/{self.group}/{self.version}"


class Remotes:
    """`generation` counts the changes that discovery shows."""

    def __init__(self) -> None:
        self._found: dict[Key, Remote] = {}
        self.generation = 0

    def find(self, key: Key) -> Remote | None:
        return self._found.get(key)

    def named(self, name: str) -> Remote | None:
        """That of an APIService."""
        version, _, group = name.partition(".")
        return self._found.get((group, version))

    def served_by(self, namespace: str, service: str) -> list[str]:
        """The names of the APIServices that a Service stands behind."""
        found = (
            each for each in self._found.values() if (each.namespace, each.service) == (namespace, service)
        )
        return [f"{each.version}.{each.group}" for each in found]

    def all(self) -> tuple[Remote, ...]:
        return tuple(self._found.values())

    def __bool__(self) -> bool:
        return bool(self._found)

    def changed(self, kind: str, service: Object, old: Object | None) -> None:
        """An APIService has come, changed or gone."""
        wanted = remote_of(service) if kind != "DELETED" else None
        spec = service.get("spec") or {}
        key = spec.get("group", ""), spec.get("version", "")
        if wanted is None:
            if self._found.pop(key, None) is not None:
                self.generation += 1
            return
        before = self._found.get(key)
        if before is not None:
            wanted = replace(wanted, resources=before.resources, schema=before.schema)
        self._put(wanted)

    def learn(self, key: Key, resources: Sequence[Object], schema: str) -> None:
        """What a server has said of itself."""
        before = self._found.get(key)
        if before is not None:
            self._put(replace(before, resources=tuple(resources), schema=schema))

    def schemas(self) -> Mapping[str, Any]:
        """Their part of OpenAPI's index."""
        return {
            each.path.lstrip("/"): {"serverRelativeURL": each.schema}
            for each in self._found.values()
            if each.schema
        }

    def _put(self, remote: Remote) -> None:
        if self._found.get(remote.key) != remote:
            self._found[remote.key] = remote
            self.generation += 1


def remote_of(service: Object) -> Remote | None:
    """What an APIService says; None for one that this server answers itself."""
    spec: Mapping[str, Any] = service.get("spec") or {}
    place = spec.get("service")
    if place is None or meta.is_terminating(service):
        return None
    return Remote(
        spec.get("group", ""),
        spec.get("version", ""),
        place.get("namespace", ""),
        place.get("name", ""),
        place.get("port") or 443,
        spec.get("caBundle") or "",
        bool(spec.get("insecureSkipTLSVerify")),
        conditions.is_true(service, "Available"),
    )
