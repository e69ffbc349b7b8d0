"""The API without a client library in between: HTTPS requests and plain dicts.

Not here: streams (exec, port-forward), which the clients under test speak themselves.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from kubernetes import client, config

from conformance.waiting import eventually

Object = dict[str, Any]
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"


@dataclass(frozen=True)
class Response:
    code: int
    headers: dict[str, str]
    data: bytes
    asked: str = ""

    @property
    def object(self) -> Any:
        return json.loads(self.data)

    @property
    def text(self) -> str:
        return self.data.decode()

    def __str__(self) -> str:
        return f"{self.asked} answered {self.code}: {self.data[:2000].decode(errors='replace')}"


@dataclass
class Rest:
    server: str
    pool: urllib3.PoolManager
    headers: dict[str, str] = field(default_factory=dict)

    def request(
        self, method: str, path: str, body: Any = None, *, content_type: str = "", **query: Any
    ) -> Response:
        headers = {"Accept": "application/json", **self.headers}
        if body is not None:
            headers["Content-Type"] = content_type or "application/json"
        return self.send(method, path, data=_encode(body), headers=headers, **query)

    def send(
        self, method: str, path: str, *, data: bytes | None, headers: dict[str, str], **query: Any
    ) -> Response:
        """Just these headers."""
        url = self.server + path + ("?" + urlencode(query) if query else "")
        answer = self.pool.request(method, url, body=data, headers=headers, timeout=30, retries=False)
        names = {name.lower(): value for name, value in answer.headers.items()}
        return Response(answer.status, names, answer.data, f"{method} {url.removeprefix(self.server)}")

    def get(self, path: str, **query: Any) -> Any:
        return self._must(self.request("GET", path, **query))

    def post(self, path: str, body: Object, **query: Any) -> Any:
        return self._must(self.request("POST", path, body, **query))

    def put(self, path: str, body: Object, **query: Any) -> Any:
        return self._must(self.request("PUT", path, body, **query))

    def patch(self, path: str, body: Any, *, content_type: str = MERGE, **query: Any) -> Any:
        return self._must(self.request("PATCH", path, body, content_type=content_type, **query))

    def delete(self, path: str, body: Object | None = None, **query: Any) -> Any:
        return self._must(self.request("DELETE", path, body, **query))

    def refusal(self, code: int, method: str, path: str, body: Any = None, **more: Any) -> Object:
        """The Status of a request that must be refused with `code`."""
        response = self.request(method, path, body, **more)
        assert response.code == code, f"expected {code}: {response}"
        status: Object = response.object
        assert (status["kind"], status["apiVersion"]) == ("Status", "v1"), str(response)
        assert (status["status"], status["code"]) == ("Failure", code), str(response)
        return status

    def gone(self, path: str, *, timeout: float = 30) -> None:
        probe = lambda: self.request("GET", path).code == 404  # noqa: E731
        eventually(probe, what=f"{path} is gone", timeout=timeout)

    @contextmanager
    def watch(self, path: str, *, timeout: int = 30, **query: Any) -> Iterator[Iterator[Object]]:
        """Events of a watch that the server ends after `timeout` seconds."""
        url = f"{self.server}{path}?{urlencode({'watch': 'true', 'timeoutSeconds': timeout, **query})}"
        answer = self.pool.request(
            "GET", url, headers=self.headers, preload_content=False, timeout=timeout + 5, retries=False
        )
        assert answer.status == 200, f"{url} answered {answer.status}: {answer.data!r:.2000}"
        try:
            yield _events(answer)
        finally:
            answer.close()

    def _must(self, response: Response) -> Any:
        assert 200 <= response.code < 300, str(response)
        return response.object


def connect(kubeconfig: Path, *, anonymous: bool = False, token: str = "") -> Rest:
    """With the credentials of the kubeconfig's current context, with none, or with a token only."""
    settings = client.Configuration()
    config.load_kube_config(str(kubeconfig), client_configuration=settings)
    bare = anonymous or bool(token)
    pool = urllib3.PoolManager(
        maxsize=8,
        ca_certs=settings.ssl_ca_cert,
        cert_file=None if bare else settings.cert_file,
        key_file=None if bare else settings.key_file,
    )
    bearer = f"Bearer {token}" if token else settings.get_api_key_with_prefix("authorization")
    headers = {} if anonymous or not bearer else {"Authorization": bearer}
    return Rest(settings.host.rstrip("/"), pool, headers)


def _events(answer: urllib3.BaseHTTPResponse) -> Iterator[Object]:
    rest = b""
    for chunk in answer.stream(65536, decode_content=False):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (json.loads(line) for line in lines if line.strip())


def _encode(body: Any) -> bytes | None:
    if body is None or isinstance(body, bytes):
        return body
    return json.dumps(body).encode()
