"""The options of the verbs, decoded from the query (and, for delete, from the body).

What the options mean together with a kind is for the registry.
"""

import random
import re
from dataclasses import replace
from typing import Any

from kubeling.objects.errors import BadRequest, Cause, Invalid, invalid
from kubeling.objects.fields import FieldSelector
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
_NUMBER = re.compile(r"[+-]?[0-9]{1,4000}")
_MOST_DIGITS = 19
_INT64 = range(-(2**63), 2**63)
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
    made = RequestContext(
        user=request.user,
        dry_run=dry,
        field_manager=manager,
        field_validation=validation,
        user_agent=request.user_agent,
    )
    request.warnings = made.warnings
    return made


def _dry_run(values: list[str], kind: str) -> bool:
    for value in values:
        if value not in ("All", ""):
            raise _unsupported(kind, "dryRun", value, ("All",))
    return "All" in values


def _unsupported(kind: str, field: str, value: str, supported: tuple[str, ...]) -> Invalid:
    listed = ", ".join(f'"{each}"' for each in supported)
    message = f'Unsupported value: "{value}": supported values: {listed}'
    return invalid(kind, "", [Cause(field, "FieldValueNotSupported", message)], group=_OPTIONS_GROUP)


def list_options(request: Request) -> ListOptions:
    query = request.query
    _number(query, "timeoutSeconds")  # means nothing for a list, but must be a number
    return ListOptions(
        selection=_selection(request),
        limit=max(_number(query, "limit") or 0, 0),
        continue_token=first(query, "continue"),
        resource_version=first(query, "resourceVersion"),
        resource_version_match=first(query, "resourceVersionMatch"),
        send_initial_events=_optional_flag(query, "sendInitialEvents"),
    )


def _selection(request: Request) -> Selection:
    """The selectors. A name that a path of the old form for watches gives is one too."""
    query, name = request.query, request.info.name
    found = Selection.parse(first(query, "labelSelector"), first(query, "fieldSelector"))
    if not name:
        return found
    if found.fields.empty:
        return replace(found, fields=FieldSelector((("metadata.name", "=", name),)))
    if found.fields.exact("metadata.name") != name:
        raise BadRequest("fieldSelector metadata.name doesn't match requested name")
    return found


def watch_options(request: Request, *, seconds: float) -> WatchOptions:
    """The watch is going to last so many seconds."""
    query = request.query
    _number(query, "limit")  # means nothing for a watch, but must be a number
    return WatchOptions(
        selection=_selection(request),
        resource_version=first(query, "resourceVersion"),
        resource_version_match=first(query, "resourceVersionMatch"),
        bookmarks=flag(query, "allowWatchBookmarks"),
        send_initial_events=_optional_flag(query, "sendInitialEvents"),
        continue_token=first(query, "continue"),
        lasts_seconds=seconds,
    )


def _optional_flag(query: Query, name: str) -> bool | None:
    return flag(query, name) if name in query else None


def watch_seconds(query: Query) -> float:
    """How long a watch may last: as asked, or a random time, so that not all clients return at once."""
    asked = _number(query, "timeoutSeconds")
    if asked:
        return float(min(max(asked, 0), _LONGEST_WATCH_SECONDS))
    return random.uniform(MIN_WATCH_SECONDS, MAX_WATCH_SECONDS)


def _number(query: Query, name: str) -> int | None:
    """A parameter that is a number of 64 bits; None when it is not there.

    Raises:
        BadRequest: it is none, as upstream's parser puts it.
    """
    if name not in query:
        return None
    text = first(query, name)
    if not _NUMBER.fullmatch(text):
        raise BadRequest(f'strconv.ParseInt: parsing "{text}": invalid syntax')
    if len(text.lstrip("+-").lstrip("0")) > _MOST_DIGITS or int(text) not in _INT64:
        raise BadRequest(f'strconv.ParseInt: parsing "{text}": value out of range')
    return int(text)


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
