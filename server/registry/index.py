"""Finds kinds: by group, version and plural as a URL names them, by kind as an object does, or all."""

from collections.abc import Sequence

from server.registry.kind import Kind


def lookup(group: str, version: str, plural: str) -> Kind | None:
    """The kind that is served under /apis/GROUP/VERSION/PLURAL (/api/v1/PLURAL for group "")."""
    return _BY_PLURAL.get((group, version, plural))


def lookup_kind(group: str, version: str, kind: str) -> Kind | None:
    """The kind of an object with that apiVersion and kind."""
    return _BY_KIND.get((group, version, kind))


def kinds() -> Sequence[Kind]:
    """Every kind, in the order of discovery: core first, then group by group."""
    return _ALL


_ALL: tuple[Kind, ...] = ()
_BY_PLURAL = {(kind.group, version, kind.plural): kind for kind in _ALL for version in kind.versions}
_BY_KIND = {(kind.group, version, kind.kind): kind for kind in _ALL for version in kind.versions}
