"""JSON patch (RFC 6902), with the limits and the error texts of the API server."""

from typing import Any

import jsonpatch
import jsonpointer

from server.schema.errors import DecodeError, PatchError

LARGEST = 10_000
"""Operations that one patch may have."""


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
        return jsonpatch.JsonPatch(operations).apply(target)
    except jsonpatch.JsonPatchTestFailed as error:
        raise PatchError("testing value failed: test failed") from error
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException) as error:
        raise PatchError(str(error)) from error
