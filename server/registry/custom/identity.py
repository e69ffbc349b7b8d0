"""The apiVersion and kind of a custom resource's object: the server guesses neither, nor does upstream's."""

import orjson

from kubeling.objects import errors
from kubeling.objects.errors import BadRequest
from kubeling.objects.meta import Object
from server.registry.causes import invalid
from server.registry.kind import Kind

_SHOWN = 30
"""Characters of a body that a message repeats."""


def check_identity(kind: Kind, version: str, obj: Object) -> None:
    """That an object is of the kind, and in the version, of the path that it was sent to.

    Raises:
        BadRequest: it names no kind, or another version.
        Invalid: it is of another kind.
    """
    found, expected = obj.get("kind"), kind.api_version(version)
    if not found or not isinstance(found, str):
        raise BadRequest(_without_kind(kind.kind, obj))
    named = obj.get("apiVersion") or ""
    if named != expected:
        why = f"the API version in the data ({named}) does not match the expected API version ({expected})"
        raise BadRequest(why)
    check_kind(kind, obj)


def check_kind(kind: Kind, obj: Object) -> None:
    """That an object with a kind is of this kind. Raises Invalid."""
    found = obj.get("kind")
    if found and found != kind.kind:
        cause = invalid("kind", found, f"must be {kind.kind}")
        raise errors.invalid(str(found), _name_of(obj), [cause], group=kind.group)


def _name_of(obj: Object) -> str:
    own = obj.get("metadata")
    name = own.get("name") if isinstance(own, dict) else ""
    return name if isinstance(name, str) else ""


def _without_kind(kind: str, obj: Object) -> str:
    text = orjson.dumps(obj).decode()
    short = f"{text[:_SHOWN]} ..." if len(text) > _SHOWN else text
    why = f"Object 'Kind' is missing in '{text}' ({short})"
    return f"the object provided is unrecognized (must be of type {kind}): {why}"
