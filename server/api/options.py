"""The options of the verbs, decoded from the query (and, for delete, from the body).

What the options mean together with a kind is for the registry.
"""

import random
from typing import Any

from kubeling.objects.errors import BadRequest, Cause, Invalid, invalid
from kubeling.objects.meta import Object
from server.api.request import Request
from server.api.requestinfo import Query, first, flag
from server.registry.context import RequestContext
from server.registry.field_manager import field_manager_causes
from server.registry.options import DeleteOptions, ListOptions, Selection, WatchOptions

_OPTIONS_GROUP = "meta.k8s.io"
_FIELD_VALIDATION = ("Ignore", "Strict", "Warn")
_PROPAGATION = ("Background", "Foreground", "Orphan")
_OPTIONS_KINDS = {"create": "CreateOptions", "patch": "PatchOptions", "delete": "DeleteOptions"}
_LONGEST_WATCH_SECONDS = 10**9
MIN_WATCH_SECONDS, MAX_WATCH_SECONDS = 1800, 3600


def context(request: Request, *, dry_run: list[str] | None = None) -> RequestContext:
    """The registry's view of the request: who, and in which mode.

    Raises:
        Invalid: dryRun or fieldValidation has a value that does not exist.
    """
    query = request.query
    kind = _OPTIONS_KINDS.get(request.info.verb, "UpdateOptions")
    dry = _dry_run(query.get("dryRun", []) if dry_run is None else dry_run, kind)
    validation = first(query, "fieldValidation") or "Warn"
    if validation not in _FIELD_VALIDATION:
        raise _unsupported(kind, "fieldValidation", validation, _FIELD_VALIDATION)
    manager = first(query, "fieldManager")
    if causes := field_manager_causes("fieldManager", manager):
        raise invalid(kind, "", causes, group=_OPTIONS_GROUP)
    return RequestContext(
        user=request.user,
        dry_run=dry,
        field_manager=manager,
        field_validation=validation,
        user_agent=request.user_agent,
    )


def _dry_run(values: list[str], kind: str) -> bool:
    for value in values:
        if value not in ("All", ""):
            raise _unsupported(kind, "dryRun", value, ("All",))
    return "All" in values


def _unsupported(kind: str, field: str, value: str, supported: tuple[str, ...]) -> Invalid:
    listed = ", ".join(f'"{each}"' for each in supported)
    message = f'Unsupported value: "{value}": supported values: {listed}'
    return invalid(kind, "", [Cause(field, "FieldValueNotSupported", message)], group=_OPTIONS_GROUP)


def list_options(query: Query) -> ListOptions:
    return ListOptions(
        selection=selection(query),
        limit=_number(query, "limit") or 0,
        continue_token=first(query, "continue"),
        resource_version=first(query, "resourceVersion"),
        resource_version_match=first(query, "resourceVersionMatch"),
    )


def selection(query: Query) -> Selection:
    return Selection.parse(first(query, "labelSelector"), first(query, "fieldSelector"))


def watch_options(query: Query, *, seconds: float) -> WatchOptions:
    """The watch is going to last so many seconds."""
    initial = flag(query, "sendInitialEvents") if "sendInitialEvents" in query else None
    return WatchOptions(
        selection=selection(query),
        resource_version=first(query, "resourceVersion"),
        resource_version_match=first(query, "resourceVersionMatch"),
        bookmarks=flag(query, "allowWatchBookmarks"),
        send_initial_events=initial,
        lasts_seconds=seconds,
    )


def watch_seconds(query: Query) -> float:
    """How long a watch may last: as asked, or a random time, so that not all clients return at once."""
    asked = _number(query, "timeoutSeconds")
    if asked:
        return float(min(asked, _LONGEST_WATCH_SECONDS))
    return random.uniform(MIN_WATCH_SECONDS, MAX_WATCH_SECONDS)


def _number(query: Query, name: str) -> int | None:
    text = first(query, name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError as error:
        raise BadRequest(f'unable to parse query parameter {name}: invalid number "{text}"') from error


def delete_options(query: Query, body: Object | None) -> DeleteOptions:
    """DeleteOptions from the body or, when there is none, from the query.

    Raises:
        BadRequest, Invalid: an option is malformed or contradicts another.
    """
    given = body if body is not None else _delete_query(query)
    conditions = given.get("preconditions") or {}
    grace = given.get("gracePeriodSeconds")
    if grace is not None and not isinstance(grace, int):
        raise BadRequest("DeleteOptions: gracePeriodSeconds must be an integer")
    policy, orphan = given.get("propagationPolicy") or "", given.get("orphanDependents")
    if policy and orphan is not None:
        message = "orphanDependents and deletionPropagation cannot be both set"
        cause = Cause("propagationPolicy", "FieldValueInvalid", f'Invalid value: "{policy}": {message}')
        raise invalid("DeleteOptions", "", [cause], group=_OPTIONS_GROUP)
    if policy and policy not in _PROPAGATION:
        raise _unsupported("DeleteOptions", "propagationPolicy", str(policy), (*_PROPAGATION, "nil"))
    return DeleteOptions(
        grace_period_seconds=grace,
        uid=str(conditions.get("uid") or ""),
        resource_version=str(conditions.get("resourceVersion") or ""),
        propagation_policy=policy,
        orphan_dependents=orphan,
    )


def _delete_query(query: Query) -> dict[str, Any]:
    given: dict[str, Any] = {"gracePeriodSeconds": _number(query, "gracePeriodSeconds")}
    if "propagationPolicy" in query:
        given["propagationPolicy"] = first(query, "propagationPolicy")
    if "orphanDependents" in query:
        given["orphanDependents"] = flag(query, "orphanDependents")
    return given
