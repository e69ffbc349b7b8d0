"""JSON patch (RFC 6902), with the limits and the error texts of the API server."""

from copy import deepcopy
from typing import Any

import jsonpatch
import jsonpointer
import orjson

from server.schema.errors import DecodeError, PatchError

LARGEST = 10_000
"""Operations that one patch may have."""
MOST_COPIED = 3 * 1024 * 1024
"""Bytes of JSON that the copies of one patch may add up to: each can double the object."""


class PatchTooLarge(PatchError):
    pass


def json_patch(target: Any, operations: Any) -> Any:
    """The patched value; the target is not changed.

    Raises:
        DecodeError: the patch is not a list of operations.
        PatchTooLarge: it has too many.
        PatchError: an operation cannot be applied, or a test fails.
    """
    if not isinstance(operations, list):
        raise DecodeError("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    if len(operations) > LARGEST:
        raise PatchTooLarge(
            f"The allowed maximum operations in a JSON patch is {LARGEST}, got {len(operations)}"
        )
    try:
        return _applied(target, operations)
    except jsonpatch.JsonPatchTestFailed as error:
        raise PatchError("testing value failed: test failed") from error
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        raise PatchError(str(error)) from error


def _applied(target: Any, operations: list[Any]) -> Any:
    patch = jsonpatch.JsonPatch(operations)
    if not any(each["op"] == "copy" for each in operations):
        return patch.apply(target)
    out, copied = deepcopy(target), 0
    for each in operations:
        if each["op"] == "copy":
            copied += _size(out, each.get("from"))
        if copied > MOST_COPIED:
            raise PatchError(f"the copies of the patch add up to more than {MOST_COPIED} bytes")
        out = jsonpatch.JsonPatch([each]).apply(out, in_place=True)
    return out


def _size(target: Any, pointer: Any) -> int:
    """Bytes of JSON of what a pointer points to; nothing, when it is none: applying it fails."""
    if not isinstance(pointer, str):
        return 0
    return len(orjson.dumps(jsonpointer.resolve_pointer(target, pointer), default=repr))
