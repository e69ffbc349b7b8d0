"""Lets requests in, or not.

`Delegated`     as upstream: the API server says who asks and whether they may
`MastersOnly`   certificates of group system:masters, which nobody has to be asked about
"""

from typing import Protocol

from aiohttp import web

from runtime.node.api.authentication import Authentication, certificate_user, unauthorized
from runtime.node.api.authorization import Authorization, forbidden, subresources_of, verb_of

MASTERS = "system:masters"


class Gate(Protocol):
    async def admit(self, request: web.BaseRequest, first: str) -> None:
        """`first` is the path's first part. Raises HttpError."""


class Delegated:
    def __init__(self, authentication: Authentication, authorization: Authorization) -> None:
        self._authentication = authentication
        self._authorization = authorization

    async def admit(self, request: web.BaseRequest, first: str) -> None:
        user = await self._authentication.user(request)
        await self._authorization.check(user, request.method, first)


class MastersOnly:
    async def admit(self, request: web.BaseRequest, first: str) -> None:
        user = certificate_user(request)
        if user is None:
            raise unauthorized()
        if MASTERS not in user.groups:
            raise forbidden(user, verb_of(request.method), subresources_of(first))
