"""The door: every HTTP request comes in here, is authenticated and authorized, and leaves as an answer.

Also the one place where errors become Status objects. What a request is about is found in `requestinfo`; who
answers it in `resources` (objects) and `pages` (everything else).
"""

import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from random import getrandbits

from aiohttp import web

from kubeling.objects.errors import ApiError, InternalError
from server.api.aggregation.forwarding import Forwarding
from server.api.connection import connection_of
from server.api.metrics import RequestMetrics
from server.api.negotiation import accepted, error_media
from server.api.pages import Pages, Visit
from server.api.render import error_reply
from server.api.reply import Answer, Reply, Stream
from server.api.requestinfo import Query, RequestInfo, first, parse, parse_query
from server.api.resources import Resources
from server.api.upgrades import socket_authorization
from server.auth.attributes import Attributes
from server.auth.authentication import Authenticator
from server.auth.authorization import Authorization
from server.auth.impersonation import acting_user
from server.registry.context import UserInfo

logger = logging.getLogger(__name__)

CLIENT_CLOSED_REQUEST = 499
"""Only counted in the metrics: nobody reads it."""


class Handler:
    def __init__(
        self,
        *,
        authenticator: Authenticator,
        authorization: Authorization,
        resources: Resources,
        pages: Pages,
        metrics: RequestMetrics,
        forwarding: Forwarding | None = None,
    ) -> None:
        """`forwarding` takes what other servers answer."""
        self._authenticator = authenticator
        self._authorization = authorization
        self._resources = resources
        self._pages = pages
        self._metrics = metrics
        self._forwarding = forwarding
        self.under_way = 0
        """Requests that are being answered, but for those that last: watches, logs, tunnels."""

    async def __call__(self, http: web.BaseRequest) -> Answer:
        """Answer one request. Never raises but for cancellation."""
        started = time.perf_counter()
        path, _, query_text = http.raw_path.partition("?")
        query = parse_query(query_text)
        info = parse(http.method, path, query)
        audit_id = http.headers.get("Audit-Id") or _new_id()
        lasts = info.verb == "watch" or bool(info.subresource)
        self.under_way += not lasts
        try:
            answer = await self._guarded(http, info, query, audit_id)
        finally:
            self.under_way -= not lasts
        if isinstance(answer, Reply):
            answer.headers = (("Audit-Id", audit_id), *answer.headers)
        self._count(info, answer, time.perf_counter() - started)
        return answer

    async def _guarded(self, http: web.BaseRequest, info: RequestInfo, query: Query, audit_id: str) -> Answer:
        try:
            return await self._answer(http, info, query, audit_id)
        except ApiError as error:
            failure = error
        except (ConnectionError, web.RequestPayloadError) as error:
            error.__traceback__ = None  # the connection keeps the error, which would keep what was read of it
            return _broken_off(http)
        except Exception:
            logger.exception("%s %s failed (audit id %s)", http.method, http.raw_path, audit_id)
            failure = InternalError("an error on the server has prevented the request from succeeding")
        return _failed(http, failure)

    async def _answer(self, http: web.BaseRequest, info: RequestInfo, query: Query, audit_id: str) -> Answer:
        known = self._authenticate(http)
        user = acting_user(known, http.headers, self._authorization, lambda: attributes(known, info, query))
        self._authorization.check(attributes(user, info, query))
        if self._forwarding is not None and (remote := self._forwarding.find(info)) is not None:
            return await self._forwarding.answer(http, remote, user, audit_id)
        if info.is_resource:
            authorize = partial(self._authorize, user, info, query)
            return await self._resources.answer(
                http, info, query, user=user, authorize=authorize, audit_id=audit_id
            )
        return await self._pages.answer(Visit(http.method, info.path, query, _headers(http)))

    def _authorize(self, user: UserInfo, info: RequestInfo, query: Query, verb: str) -> None:
        self._authorization.check(attributes(user, replace(info, verb=verb), query))

    def _authenticate(self, http: web.BaseRequest) -> UserInfo:
        """Who asks. Clients send the same header again and again: its user is remembered per connection, for
        as long as the token behind it holds."""
        connection = connection_of(http)
        authorization = http.headers.get("Authorization", "") or socket_authorization(http)
        known, identity = connection.authenticated
        if identity is None or known != authorization or not (identity.holds is None or identity.holds()):
            certificate = connection.certificate_user
            identity = self._authenticator.identity(certificate=certificate, authorization=authorization)
            connection.authenticated = (authorization, identity)
        return identity.user

    def _count(self, info: RequestInfo, answer: Answer, seconds: float) -> None:
        target = info.target
        if not isinstance(answer, Reply):
            self._metrics.count(target, answer.status)
        else:
            self._metrics.observe(target, answer.status, seconds)


def _new_id() -> str:
    """A random UUID; nothing depends on its being unpredictable."""
    text = f"{getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def _headers(http: web.BaseRequest) -> Mapping[str, str]:
    return http.headers


def _broken_off(http: web.BaseRequest) -> Stream:
    """The client has gone: there is nobody to tell, and nothing to report."""
    if http.transport is not None:
        http.transport.close()
    return Stream(http, status=CLIENT_CLOSED_REQUEST)


def _failed(http: web.BaseRequest, failure: ApiError) -> Answer:
    """The Status, unless an answer has begun already: then the connection breaks off."""
    if http.writer.output_size:
        if http.transport is not None:
            http.transport.close()
        return Stream(http, status=failure.code)
    reply = error_reply(failure, media=error_media(accepted(http.headers)))
    if not http.content.at_eof():
        reply.keep_alive = False
    return reply


def attributes(user: UserInfo, info: RequestInfo, query: Query) -> Attributes:
    """What the authorizers are asked about a request."""
    if not info.is_resource:
        return Attributes(user, info.verb, is_resource=False, path=info.path)
    return Attributes(
        user,
        info.verb,
        group=info.group,
        version=info.version,
        namespace=info.namespace,
        resource=info.resource,
        subresource=info.subresource,
        name=info.name,
        field_selector=first(query, "fieldSelector") if query else "",
        label_selector=first(query, "labelSelector") if query else "",
    )
