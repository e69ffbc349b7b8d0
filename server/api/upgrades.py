"""What a request says that wants to leave HTTP: whether it does, and what a WebSocket's subprotocols tell.

Browsers cannot send an Authorization header with a WebSocket: their token is the name of a subprotocol.
"""

import base64
import binascii

from aiohttp import web

_BEARER = "base64url.bearer.authorization.k8s.io."


def wants_upgrade(http: web.BaseRequest) -> bool:
    tokens = [token.strip().lower() for token in http.headers.get("Connection", "").split(",")]
    return "upgrade" in tokens and "Upgrade" in http.headers


def wants_socket(http: web.BaseRequest) -> bool:
    return http.headers.get("Upgrade", "").lower() == "websocket" and wants_upgrade(http)


def protocols(offered: str) -> list[str]:
    """The subprotocols of a Sec-WebSocket-Protocol header, without the token."""
    return [name for name in _names(offered) if not name.startswith(_BEARER)]


def socket_authorization(http: web.BaseRequest) -> str:
    """What the Authorization header would be if the client could have sent one; empty without a token.

    A token is good only beside another subprotocol, for the server's answer must name one that is no secret.
    """
    if "Upgrade" not in http.headers or not wants_socket(http):
        return ""
    offered = http.headers.get("Sec-WebSocket-Protocol", "")
    tokens = [name.removeprefix(_BEARER) for name in _names(offered) if name.startswith(_BEARER)]
    if not tokens:
        return ""
    sound = len(tokens) == 1 and bool(protocols(offered))
    return f"Bearer {(sound and _decoded(tokens[0])) or 'malformed'}"


def _decoded(text: str) -> str:
    """Empty for what is no base64 of text."""
    try:
        padded = text + "=" * (-len(text) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError):
        return ""


def _names(offered: str) -> list[str]:
    return [name.strip() for name in offered.split(",") if name.strip()]
