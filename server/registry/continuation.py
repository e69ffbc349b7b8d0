"""Continue tokens: opaque to clients, they hold the list's revision and the place of its last object."""

import base64
import binascii
from typing import Any

import orjson

from kubeling.objects.errors import BadRequest, Expired
from kubeling.objects.meta import Object

_VERSION = "meta.k8s.io/v1"
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
    try:
        content: Any = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        revision, (namespace, name) = content["rv"], content["start"].split("\x00")
        if content["v"] != _VERSION or type(revision) is not int:
            raise BadRequest("continue key is not valid: server does not recognize this encoded version")
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRequest(f"continue key is not valid: {error}") from error
    return revision, (namespace, name)


def expired(after: Place) -> ExpiredContinue:
    """What a token whose revision has been compacted is answered with."""
    return ExpiredContinue(encode(-1, after))
