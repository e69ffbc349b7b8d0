"""From the apiVersion and kind of an owner reference to the resource that has its objects."""

from kubeling.client import TemporaryError
from kubeling.client.protocol import Discovery
from kubeling.client.resources import Resource


class UnknownKind(TemporaryError):
    """No such kind is served: perhaps not yet. Nothing can be said of its objects."""


class Kinds:
    def __init__(self) -> None:
        self._resources: dict[tuple[str, str], Resource] = {}

    def learn(self, found: Discovery) -> bool:
        """Know these from now on, and no others but those that could not be learned; says what is new."""
        preferred = {(each.group, each.plural): each for each in found.preferred}
        kept = {
            key: each
            for key, each in self._resources.items()
            if f"{each.group}/{each.version}" in found.failures
        }
        before = self._resources
        self._resources = kept | {
            (each.api_version, each.kind): preferred[each.group, each.plural] for each in found.every
        }
        return bool(self._resources.keys() - before.keys())

    def find(self, api_version: str, kind: str) -> Resource:
        """The resource, in its preferred version.

        Raises:
            UnknownKind: there is none.
        """
        resource = self._resources.get((api_version, kind))
        if resource is None:
            group, _, version = api_version.rpartition("/")
            where = f"group {group!r}, version {version!r}" if group else f"version {version!r}"
            raise UnknownKind(f"no matches for kind {kind!r} in {where}")
        return resource
