"""Requests for resources: find kind and verb, check that they go together, let the verb's module answer."""

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from kubeling.objects.errors import ApiError, MethodNotAllowed
from kubeling.objects.meta import Object
from server.api.connections import admit
from server.api.create import create
from server.api.delete import delete, delete_collection
from server.api.get import get
from server.api.list import list_
from server.api.negotiation import accepted, resource_representation
from server.api.pages import method_not_allowed, not_found_page, unknown_resource
from server.api.patch import patch
from server.api.render import deprecation_headers, deprecation_warnings
from server.api.reply import Answer, Reply
from server.api.request import Request
from server.api.requestinfo import Query, RequestInfo
from server.api.update import update
from server.api.watch import Watches
from server.registry.context import UserInfo
from server.registry.kind import Kind
from server.registry.registry import Registry

Verb = Callable[[Registry, Request], Awaitable[Answer]]
Connect = Callable[[Request], Awaitable[Answer]]

_VERBS: Mapping[str, Verb] = {
    "get": get,
    "list": list_,
    "create": create,
    "update": update,
    "patch": patch,
    "delete": delete,
    "deletecollection": delete_collection,
}

_OLD_PREFIXES = frozenset({"watch", "proxy"})
"""Verbs that stand in the path: connections are not opened by them."""


class Resources:
    """`connects` answers subresources that are no objects (logs, exec), by plural and subresource."""

    def __init__(
        self, registry: Registry, watches: Watches, connects: Mapping[tuple[str, str], Connect]
    ) -> None:
        self._registry = registry
        self._watches = watches
        self._connects = connects

    async def answer(
        self,
        http: web.BaseRequest,
        info: RequestInfo,
        query: Query,
        *,
        user: UserInfo,
        authorize: Callable[[str], None],
        audit_id: str,
    ) -> Answer:
        """Answer a request that is authorized; `authorize` says whether it would be with another verb.

        Raises:
            ApiError: there is no such resource or verb, or the verb fails.
        """
        kind = self._registry.kinds.lookup(info.group, info.version, info.resource)
        if kind is None or not self._registry.serves(kind):
            known = self._registry.kinds.serves_version(info.group, info.version)
            if not known or (info.prefix == "api") != (info.group == ""):
                return not_found_page()
            raise unknown_resource()
        _check_scope(kind, info)
        accept = accepted(http.headers)
        request = Request(http, info, query, user, kind, authorize, audit_id=audit_id)
        connect = self._connects.get((kind.plural, info.subresource)) if info.subresource else None
        if connect is not None and not kind.group and info.verb not in _OLD_PREFIXES:
            await admit(self._registry, request)
            return await connect(request)
        verbs = _check_verb(kind, info)
        request.representation = resource_representation(accept, tables=verbs != ("create",))
        if info.verb == "watch":
            return await self._watches.watch(request)
        try:
            answer = await _VERBS[info.verb](self._registry, request)
        except ApiError as error:
            error.warnings = (*deprecation_warnings(kind, info.version), *(request.warnings or ()))
            raise
        if kind.deprecations and isinstance(answer, Reply):
            answer.headers += deprecation_headers(kind, info.version)
        return answer


def _check_scope(kind: Kind, info: RequestInfo) -> None:
    """Refuse a namespace where there can be none, and a missing one where one is needed."""
    if kind.namespaced:
        if not info.namespace and info.verb not in ("list", "watch"):
            raise method_not_allowed() if info.verb in ("create", "deletecollection") else unknown_resource()
    elif info.namespace and not _is_own(kind, info):
        raise unknown_resource()


def _is_own(kind: Kind, info: RequestInfo) -> bool:
    """Whether the namespace that was asked about is the very object: its rights count for no other one."""
    return kind.plural == "namespaces" and info.parts[:2] == ("namespaces", info.namespace)


def _check_verb(kind: Kind, info: RequestInfo) -> tuple[str, ...]:
    """Refuse a verb that the resource does not have; the verbs that it has."""
    if kind.terminating and info.verb == "create" and not info.subresource:
        message = "create not allowed while custom resource definition is terminating"
        details: Object = {"group": kind.group, "kind": kind.plural}
        raise MethodNotAllowed(message, details=details)
    verbs = kind.verbs
    if info.subresource:
        subresource = kind.subresources.get(info.subresource)
        if subresource is None or len(info.parts) > 3:
            raise unknown_resource()
        verbs = subresource.verbs
    if info.verb not in verbs or bool(info.name) != _needs_name(info):
        raise method_not_allowed()
    return verbs


def _needs_name(info: RequestInfo) -> bool:
    """Whether the path must name an object; a list or watch may, by a field selector."""
    if info.verb in ("list", "watch"):
        return bool(info.name)
    return bool(info.subresource) or info.verb not in ("create", "deletecollection")
