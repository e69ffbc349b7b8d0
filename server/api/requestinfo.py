"""What a request asks for, read from its method, path and query: verb, group, version, resource, name.

The rules are the API server's own (RequestInfo), so authorization sees the same attributes. Nothing is looked
up here: whether the resource exists is for the handlers to find.
"""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from kubeling.objects.fields import FieldSelectorError, parse_field_selector
from kubeling.objects.names import path_segment_errors

Query = dict[str, list[str]]

_VERBS = {
    "POST": "create",
    "GET": "get",
    "HEAD": "get",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
_LABELS = {"create": "POST", "update": "PUT"}
_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})
_SPECIAL_VERBS = frozenset({"proxy", "watch"})
_LONGEST_REMEMBERED = 512
"""Characters of a path whose parts are kept: what strangers send must not fill the memory."""
_FALSE = frozenset({"0", "false"})


class Target(NamedTuple):
    """What a request was about, as the labels of metrics."""

    verb: str
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    scope: str = ""


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """The attributes of one request. For a path that is no resource only `path` and `verb` are set."""

    path: str
    verb: str
    target: Target
    is_resource: bool = False
    prefix: str = ""
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    parts: tuple[str, ...] = ()
    """The path's segments from the resource on: more than three for proxy paths."""


def parse_query(text: str) -> Query:
    """A query string as lists of values; a flag without a value is an empty text."""
    query: Query = {}
    if text:
        for name, value in parse_qsl(text, keep_blank_values=True):
            query.setdefault(name, []).append(value)
    return query


def first(query: Query, name: str, default: str = "") -> str:
    values = query.get(name)
    return values[0] if values else default


def flag(query: Query, name: str) -> bool:
    """A boolean parameter: whatever is neither `0` nor `false` is true, even an empty text."""
    values = query.get(name)
    return values is not None and values[0].lower() not in _FALSE


def parse(method: str, path: str, query: Query) -> RequestInfo:
    """The attributes of a request for the (still percent-encoded) `path`."""
    info = (_parse if len(path) > _LONGEST_REMEMBERED else _remembered)(method, path)
    return _collection_read(info, query) if info.verb == "list" and query else info


def _collection_read(info: RequestInfo, query: Query) -> RequestInfo:
    """A GET without a name is a list or, when asked for, a watch; `metadata.name=x` names one object."""
    verb = "watch" if flag(query, "watch") else "list"
    name = _selected_name(first(query, "fieldSelector"))
    if verb == info.verb and not name:
        return info
    target = info.target._replace(verb=verb.upper(), scope="resource" if name else info.target.scope)
    return replace(info, verb=verb, name=name, target=target)


def _selected_name(selector: str) -> str:
    if "metadata.name" not in selector:
        return ""
    try:
        name = parse_field_selector(selector).exact("metadata.name") or ""
    except FieldSelectorError:
        return ""
    return "" if path_segment_errors(name) else name


def _parse(method: str, path: str) -> RequestInfo:
    segments = unquote(path).strip("/").split("/")
    if len(segments) < 3 or segments[0] not in ("api", "apis"):
        return _non_resource(method, path)
    prefix, group, version, rest = segments[0], "", segments[1], segments[2:]
    if prefix == "apis":
        if len(segments) < 4:
            return _non_resource(method, path)
        group, version, rest = segments[1], segments[2], segments[3:]
    return _resource_request(method, path, prefix=prefix, group=group, version=version, rest=rest)


_remembered = lru_cache(maxsize=4096)(_parse)


def _non_resource(method: str, path: str) -> RequestInfo:
    plain = unquote(path)
    target = Target(method, subresource=f"/{plain.strip('/').partition('/')[0]}")
    return RequestInfo(path=plain, verb=method.lower(), target=target)


def _resource_request(
    method: str, path: str, *, prefix: str, group: str, version: str, rest: list[str]
) -> RequestInfo:
    verb = _VERBS.get(method, "")
    if rest[0] in _SPECIAL_VERBS and len(rest) > 1:
        verb, rest = rest[0], rest[1:]
    namespace, rest = _take_namespace(rest)
    name = rest[1] if len(rest) > 1 else ""
    if not name and verb == "get":
        verb = "list"
    elif not name and verb == "delete":
        verb = "deletecollection"
    subresource = rest[2] if len(rest) > 2 and verb != "proxy" else ""
    scope = "resource" if name else "namespace" if namespace else "cluster"
    resource = rest[0] if rest else ""
    return RequestInfo(
        path=unquote(path),
        verb=verb,
        target=Target(_LABELS.get(verb) or verb.upper(), group, version, resource, subresource, scope),
        is_resource=True,
        prefix=prefix,
        group=group,
        version=version,
        namespace=namespace,
        resource=resource,
        subresource=subresource,
        name=name,
        parts=tuple(rest),
    )


def _take_namespace(rest: list[str]) -> tuple[str, list[str]]:
    """Split `namespaces/NS/pods/...` into the namespace and the rest; a namespace itself stays a resource."""
    if rest[0] != "namespaces" or len(rest) < 2:
        return "", rest
    if len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
        return rest[1], rest[2:]
    return rest[1], rest
