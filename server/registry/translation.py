"""The boundary to storage: its errors as API errors, once, for every operation."""

from collections.abc import Iterator
from contextlib import contextmanager

from kubeling.objects import errors
from kubeling.objects.meta import Object
from server.registry.kind import Kind
from server.storage import errors as storage_errors


@contextmanager
def translated(kind: Kind, name: str) -> Iterator[None]:
    """Around a write of one object; a RevisionConflict passes, for callers that try again."""
    try:
        yield
    except storage_errors.KeyExists as error:
        raise errors.already_exists(kind.resource, name) from error
    except storage_errors.KeyNotFound as error:
        raise errors.not_found(kind.resource, name) from error
    except storage_errors.InvalidObject as error:
        raise errors.BadRequest(str(error)) from error
    except storage_errors.QueueFull as error:
        details = {"retryAfterSeconds": 1}
        raise errors.TooManyRequests("Too many requests, please try again later.", details=details) from error
    except (storage_errors.StoreClosed, storage_errors.DatabaseError) as error:
        raise _of_database(error) from error


@contextmanager
def history_translated() -> Iterator[None]:
    """Around a read at, or a watch from, an older revision."""
    try:
        yield
    except storage_errors.Compacted as error:
        text = f"too old resource version: {error.requested} ({error.compacted})"
        raise errors.expired(text) from error
    except storage_errors.FutureRevision as error:
        raise too_large(error) from error
    except storage_errors.WatchOverflow as error:
        raise errors.expired(str(error)) from error
    except (storage_errors.StoreClosed, storage_errors.DatabaseError) as error:
        raise _of_database(error) from error


def _of_database(error: storage_errors.StorageError) -> errors.ApiError:
    """What may pass is answered so that clients try again; a write that may have happened is not."""
    if isinstance(error, storage_errors.StoreClosed):
        return errors.ServiceUnavailable("the server is shutting down")
    if isinstance(error, storage_errors.WriteInDoubt):
        return errors.Timeout(f"the outcome of the write is unknown: {error}")
    if isinstance(error, storage_errors.DatabaseUnavailable | storage_errors.DatabaseLocked):
        details: Object = {"retryAfterSeconds": 1}
        text = f"the server is currently unable to handle the request: {error}"
        return errors.ServiceUnavailable(text, details=details)
    return errors.InternalError(f"Internal error occurred: {error}")


def too_large(error: storage_errors.FutureRevision) -> errors.Timeout:
    details: Object = {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }
    text = f"Timeout: Too large resource version: {error.requested}, current: {error.current}"
    return errors.Timeout(text, details=details)
