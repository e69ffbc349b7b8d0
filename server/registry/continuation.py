"""Continue tokens: opaque to clients, they hold the list's revision and the place of its last object."""

import base64
import string
from typing import Any

import orjson

from kubeling.objects.errors import BadRequest, Expired
from kubeling.objects.meta import Object

_VERSION = "meta.k8s.io/v1"
_ALPHABET = frozenset(string.ascii_letters + string.digits + "-_")
_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list"
    " without the continue parameter, or use the continue token in this response to retrieve the remainder of"
    " the results. Continuing with the provided token results in an inconsistent list - objects that were"
    " created, modified, or deleted between the time the first chunk was returned and now may show up in the"
    " list."
)

Place = tuple[str, str]
"""(namespace, name)"""


class ExpiredContinue(Expired):
    """410 whose Status carries a token for the rest of the list as it is now."""

    def __init__(self, token: str) -> None:
        super().__init__(_EXPIRED)
        self.token = token

    def status(self) -> Object:
        return {**super().status(), "metadata": {"continue": self.token}}


def encode(revision: int, after: Place) -> str:
    content = {"v": _VERSION, "rv": revision, "start": "\x00".join(after)}
    return base64.urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")


def decode(token: str) -> tuple[int, Place]:
    """
    Raises:
        BadRequest: it is not a token of ours.
    """
    content = _content(token)
    version, revision, start = (content.get(name) for name in ("v", "rv", "start"))
    if version != _VERSION:
        raise _not_valid(f": server does not recognize this encoded version {version or ''}")
    if type(revision) is not int or not revision:
        raise _not_valid(f": incorrect encoded start resourceVersion (version {_VERSION})")
    if not start:
        raise _not_valid(f": encoded start key empty (version {_VERSION})")
    namespace, separator, name = start.partition("\x00") if isinstance(start, str) else ("", "", "")
    if not separator or "\x00" in name or "/" in start:
        raise _not_valid(f": {start}")
    return revision, (namespace, name)


def _content(token: str) -> dict[str, Any]:
    odd = next((place for place, character in enumerate(token) if character not in _ALPHABET), None)
    if odd is None and len(token) % 4 == 1:
        odd = len(token) - 1
    if odd is not None:
        raise _not_valid(f": illegal base64 data at input byte {odd}")
    try:
        content = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except ValueError as error:
        raise _not_valid(f": {error}") from error
    if not isinstance(content, dict):
        raise _not_valid(": json: cannot unmarshal into Go value of type storage.continueToken")
    return content


def _not_valid(why: str) -> BadRequest:
    return BadRequest(f"invalid continue token: continue key is not valid{why}")


def expired(after: Place) -> ExpiredContinue:
    """What a token whose revision has been compacted is answered with."""
    return ExpiredContinue(encode(-1, after))
