"""Errors of the kubelet API, and the one place that turns errors into its answers.

HttpError       an HTTP status and a plain text, as the kubelet answers
"""

from http import HTTPStatus

from aiohttp import web

from kubeling.streams.errors import DialError
from runtime.errors import ImageArchiveError, NodeError, NotFound, RuntimeServiceError


class HttpError(Exception):
    """The request cannot be served."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def answer(error: HttpError | NodeError | DialError) -> web.Response:
    """The response for an error: plain text, which the API server makes a Status of."""
    match error:
        case HttpError():
            return web.Response(status=error.status, text=error.message)
        case NotFound():
            return web.Response(status=HTTPStatus.NOT_FOUND, text=str(error))
        case ImageArchiveError():
            return web.Response(status=HTTPStatus.BAD_REQUEST, text=str(error))
        case RuntimeServiceError() if error.code == "ResourceExhausted":
            return web.Response(status=HTTPStatus.TOO_MANY_REQUESTS, text=str(error))
        case _:
            return web.Response(status=HTTPStatus.INTERNAL_SERVER_ERROR, text=str(error))
