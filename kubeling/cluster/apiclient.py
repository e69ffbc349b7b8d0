"""Asks the API server of a home the few things that the command wants to know, as its administrator.

Not here: watching and everything that programs need (`kubeling.client`).
"""

import contextlib
import http.client
import json
import ssl
from collections.abc import Iterable
from typing import Any

from kubeling.cluster.errors import ApiFailed
from kubeling.cluster.home import Home
from kubeling.cluster.keys import Pki
from kubeling.cluster.settings import Settings

TIMEOUT = 10.0


class ApiClient:
    """One connection, opened when it is needed and kept. Times out after `timeout` seconds of silence."""

    def __init__(self, home: Home, settings: Settings, *, timeout: float = TIMEOUT) -> None:
        pki = Pki(home.pki)
        context = ssl.create_default_context(cafile=str(pki.authority.certificate))
        context.load_cert_chain(pki.admin.certificate, pki.admin.key)
        self.address = f"https://127.0.0.1:{settings.port}"
        self._connection = http.client.HTTPSConnection(
            "127.0.0.1", settings.port, timeout=timeout, context=context
        )

    def get(self, path: str) -> Any:
        """The decoded answer. Raises ApiFailed."""
        return self.request("GET", path)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Iterable[bytes] | bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """The decoded answer of a request that succeeded. Raises ApiFailed."""
        try:
            with contextlib.suppress(
                BrokenPipeError, ConnectionResetError
            ):  # it may answer before we are done
                self._connection.request(method, path, body=body, headers=headers or {})
            response = self._connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            reason = str(error) or type(error).__name__
            raise ApiFailed(f"the API server at {self.address} does not answer ({reason})") from error
        if response.status >= 300:
            raise ApiFailed(_message(response.status, data))
        return _decode(data)

    def close(self) -> None:
        self._connection.close()


def node_obstacle(node: Any) -> str:
    """Why a node is not ready; empty if it is."""
    for condition in node.get("status", {}).get("conditions") or []:
        if condition.get("type") == "Ready":
            return "" if condition.get("status") == "True" else str(condition.get("message") or "NotReady")
    return "the node agent has not reported yet"


def _decode(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")


def _message(code: int, data: bytes) -> str:
    answer = _decode(data)
    if isinstance(answer, dict):
        return str(answer.get("message") or f"HTTP {code}")
    return str(answer).strip() or f"HTTP {code}"
