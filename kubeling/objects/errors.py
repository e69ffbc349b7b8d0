"""API errors: what a Kubernetes `Status` of status Failure is, as exceptions.

    ApiError
    ├── BadRequest              400  BadRequest
    ├── Unauthorized            401  Unauthorized
    ├── Forbidden               403  Forbidden
    ├── NotFound                404  NotFound
    ├── MethodNotAllowed        405  MethodNotAllowed
    ├── NotAcceptable           406  NotAcceptable
    ├── AlreadyExists           409  AlreadyExists
    ├── Conflict                409  Conflict
    ├── Expired                 410  Expired (or Gone)
    ├── RequestEntityTooLarge   413  RequestEntityTooLarge
    ├── UnsupportedMediaType    415  UnsupportedMediaType
    ├── Invalid                 422  Invalid
    ├── TooManyRequests         429  TooManyRequests
    ├── InternalError           500  InternalError
    ├── ServiceUnavailable      503  ServiceUnavailable
    └── Timeout                 504  Timeout

The registry and the HTTP layer raise them; both clients raise the same ones, so a controller sees
no difference between working in the server's process and over HTTP. The functions below write the messages
as Kubernetes does: clients match on some of them.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, ClassVar, NamedTuple

Object = dict[str, Any]


class GroupResource(NamedTuple):
    """A resource's group and plural name; as text `pods` or `deployments.apps`."""

    group: str
    resource: str

    def __str__(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource


class Cause(NamedTuple):
    """One reason why an object is invalid; `reason` is a CauseType such as FieldValueRequired."""

    field: str
    reason: str
    message: str


class ApiError(Exception):
    """A failed API request: an HTTP code, a machine-readable reason and a message for a person."""

    code: ClassVar[int] = 500
    reason: ClassVar[str] = "InternalError"
    warnings: Sequence[str] = ()
    """What the client is told besides, in `Warning` headers."""

    def __init__(
        self,
        message: str,
        *,
        details: Object | None = None,
        code: int | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        if code is not None:
            self.code = code  # type: ignore[misc]
        if reason is not None:
            self.reason = reason  # type: ignore[misc]

    def status(self) -> Object:
        """The error as a `Status` object."""
        status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        return status

    @classmethod
    def from_status(cls, status: Object) -> "ApiError":
        """The exception for a `Status` that a server sent; an unknown reason falls back on the code."""
        code, reason = int(status.get("code") or 500), str(status.get("reason") or "")
        kind = _BY_REASON.get(reason) or _BY_CODE.get(code, ApiError)
        return kind(
            str(status.get("message") or reason or f"request failed with code {code}"),
            details=status.get("details"),
            code=code,
            reason=reason or None,
        )


class BadRequest(ApiError):
    code, reason = 400, "BadRequest"


class Unauthorized(ApiError):
    code, reason = 401, "Unauthorized"


class Forbidden(ApiError):
    code, reason = 403, "Forbidden"


class NotFound(ApiError):
    code, reason = 404, "NotFound"


class MethodNotAllowed(ApiError):
    code, reason = 405, "MethodNotAllowed"


class NotAcceptable(ApiError):
    code, reason = 406, "NotAcceptable"


class AlreadyExists(ApiError):
    code, reason = 409, "AlreadyExists"


class Conflict(ApiError):
    code, reason = 409, "Conflict"


class Expired(ApiError):
    code, reason = 410, "Expired"


class RequestEntityTooLarge(ApiError):
    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    code, reason = 415, "UnsupportedMediaType"


class Invalid(ApiError):
    code, reason = 422, "Invalid"


class TooManyRequests(ApiError):
    code, reason = 429, "TooManyRequests"


class InternalError(ApiError):
    code, reason = 500, "InternalError"


class ServiceUnavailable(ApiError):
    code, reason = 503, "ServiceUnavailable"


class Timeout(ApiError):
    code, reason = 504, "Timeout"


_KINDS: tuple[type[ApiError], ...] = (
    BadRequest, Unauthorized, Forbidden, NotFound, MethodNotAllowed, NotAcceptable, Conflict, AlreadyExists,
    Expired, RequestEntityTooLarge, UnsupportedMediaType, Invalid, TooManyRequests, InternalError,
    ServiceUnavailable, Timeout,
)  # fmt: skip
_BY_REASON: dict[str, type[ApiError]] = {kind.reason: kind for kind in _KINDS} | {"Gone": Expired}
_BY_CODE: dict[int, type[ApiError]] = {kind.code: kind for kind in reversed(_KINDS)}


def _details(resource: GroupResource, name: str) -> Object:
    details: Object = {}
    if name:
        details["name"] = name
    if resource.group:
        details["group"] = resource.group
    details["kind"] = resource.resource
    return details


def not_found(resource: GroupResource, name: str) -> NotFound:
    return NotFound(f'{resource} "{name}" not found', details=_details(resource, name))


def already_exists(resource: GroupResource, name: str) -> AlreadyExists:
    return AlreadyExists(f'{resource} "{name}" already exists', details=_details(resource, name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(resource: GroupResource, name: str, why: str = MODIFIED) -> Conflict:
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return Conflict(message, details=_details(resource, name))


def forbidden(resource: GroupResource, name: str, why: str) -> Forbidden:
    what = f'{resource} "{name}"' if name else str(resource)
    return Forbidden(f"{what} is forbidden: {why}", details=_details(resource, name))


_MOST_CAUSES = 1000
"""A large object with something wrong in every line must not make a Status a hundred times its size."""


def invalid(kind: str, name: str, causes: Iterable[Cause], *, group: str = "") -> Invalid:
    """`kind` is the object's kind; the message joins the causes as kubectl prints them."""
    causes = list(islice(causes, _MOST_CAUSES))
    texts = [f"{cause.field}: {cause.message}" for cause in causes]
    qualified = f"{kind}.{group}" if group else kind
    details: Object = {"name": name} if name else {}
    if group:
        details["group"] = group
    details["kind"] = kind
    details["causes"] = [
        {"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes
    ]
    return Invalid(f'{qualified} "{name}" is invalid: {_joined(texts)}', details=details)


def _joined(texts: Sequence[str]) -> str:
    unique = list(dict.fromkeys(texts))
    return unique[0] if len(unique) == 1 else f"[{', '.join(unique)}]"


def expired(message: str, *, reason: str = "Expired") -> Expired:
    return Expired(message, reason=reason)
