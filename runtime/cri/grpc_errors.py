"""The one boundary where gRPC's errors become `runtime.errors`."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from runtime import errors

_BY_CODE: dict[grpc.StatusCode, tuple[str, type[errors.RuntimeServiceError]]] = {
    grpc.StatusCode.CANCELLED: ("Canceled", errors.RuntimeUnavailable),
    grpc.StatusCode.UNKNOWN: ("Unknown", errors.RuntimeFailed),
    grpc.StatusCode.INVALID_ARGUMENT: ("InvalidArgument", errors.InvalidRequest),
    grpc.StatusCode.DEADLINE_EXCEEDED: ("DeadlineExceeded", errors.RuntimeTimeout),
    grpc.StatusCode.NOT_FOUND: ("NotFound", errors.NotFound),
    grpc.StatusCode.ALREADY_EXISTS: ("AlreadyExists", errors.AlreadyExists),
    grpc.StatusCode.PERMISSION_DENIED: ("PermissionDenied", errors.RuntimeFailed),
    grpc.StatusCode.RESOURCE_EXHAUSTED: ("ResourceExhausted", errors.RuntimeFailed),
    grpc.StatusCode.FAILED_PRECONDITION: ("FailedPrecondition", errors.FailedPrecondition),
    grpc.StatusCode.ABORTED: ("Aborted", errors.RuntimeFailed),
    grpc.StatusCode.OUT_OF_RANGE: ("OutOfRange", errors.InvalidRequest),
    grpc.StatusCode.UNIMPLEMENTED: ("Unimplemented", errors.Unimplemented),
    grpc.StatusCode.INTERNAL: ("Internal", errors.RuntimeFailed),
    grpc.StatusCode.UNAVAILABLE: ("Unavailable", errors.RuntimeUnavailable),
    grpc.StatusCode.DATA_LOSS: ("DataLoss", errors.RuntimeFailed),
    grpc.StatusCode.UNAUTHENTICATED: ("Unauthenticated", errors.RuntimeFailed),
}


@contextmanager
def runtime_errors() -> Iterator[None]:
    """Translate what a gRPC call inside the block raises; cancellation passes through."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise translated(error.code(), error.details() or "") from error
    except grpc.aio.UsageError as error:
        raise errors.RuntimeUnavailable(str(error), code="Unavailable") from error


def translated(code: grpc.StatusCode, message: str) -> errors.RuntimeServiceError:
    name, kind = _BY_CODE.get(code, ("Unknown", errors.RuntimeFailed))
    if kind is errors.RuntimeFailed and "is reserved for" in message:
        kind = errors.AlreadyExists  # containerd reports a taken name as Unknown
    if kind is errors.RuntimeFailed and "server is not initialized yet" in message:
        kind = errors.RuntimeUnavailable  # and so it reports that it is still starting
    return kind(message, code=name)
