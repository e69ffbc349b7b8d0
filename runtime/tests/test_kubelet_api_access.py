"""Who may use the kubelet API: certificates, tokens, and what the API server decides about them."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from kubeling.client.errors import ConnectionLost
from kubeling.objects.clock import FakeClock
from runtime.node.api.authentication import Authentication
from runtime.node.api.authorization import Authorization
from runtime.node.api.gate import Delegated
from runtime.node.api.handler import Requests
from runtime.node.api.health import health
from runtime.node.api.listener import Listener, ListenSettings
from runtime.node.api.remembered import Remembered
from runtime.node.api.routes import ANY, Route
from runtime.tests.certificates import TestAuthority
from runtime.tests.test_kubelet_api_handler import authority as authority
from runtime.tests.test_kubelet_api_handler import session

PATHS = ("healthz", "pods", "stats", "metrics", "logs", "exec", "configz", "runningpods", "checkpoint")


class Reviewer:
    """An API server that knows one token and says yes to what is in `allowed`: (user, verb, subresource)."""

    def __init__(self) -> None:
        self.allowed: set[tuple[str, str, str]] = set()
        self.asked: list[tuple[str, str, str]] = []
        self.reviews: list[dict[str, Any]] = []
        self.away = False

    async def create(self, resource: Any, obj: dict[str, Any], **_: Any) -> dict[str, Any]:
        if self.away:
            raise ConnectionLost("away")
        self.reviews.append(obj)
        if resource.plural == "tokenreviews":
            known = obj["spec"]["token"] == "good"
            user = {"username": "robot", "uid": "7", "groups": ["robots"], "extra": {"k": ["v"]}}
            return {"status": {"authenticated": True, "user": user} if known else {"authenticated": False}}
        spec = obj["spec"]
        attributes = spec["resourceAttributes"]
        question = (spec["user"], attributes["verb"], attributes["subresource"])
        self.asked.append(question)
        return {"status": {"allowed": question in self.allowed}}


@pytest.fixture
def reviewer() -> Reviewer:
    return Reviewer()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def listener(authority: TestAuthority, reviewer: Reviewer, clock: FakeClock) -> AsyncIterator[Listener]:
    pair = authority.issue("node")
    settings = ListenSettings(
        host="127.0.0.1", port=0, certificate=pair.certificate, key=pair.key, client_ca=authority.certificate
    )
    client: Any = reviewer
    gate = Delegated(Authentication(client, clock), Authorization(client, clock, node="n"))

    async def served(request: Any, *_: str) -> Any:
        return await health(request)

    routes = {path: [Route(("GET", "POST", "HEAD"), ANY, served)] for path in PATHS}
    listener = Listener(settings, Requests(routes, gate))
    await listener.start()
    yield listener
    await listener.stop()


@pytest.fixture
async def tokens(listener: Listener, authority: TestAuthority) -> AsyncIterator[aiohttp.ClientSession]:
    async with session(listener, authority.client(None)) as client:
        yield client


async def ask(
    client: aiohttp.ClientSession, path: str = "/pods", *, token: str = "good", method: str = "GET"
) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with client.request(method, path, headers=headers) as answer:
        return answer.status, await answer.text()


async def test_nobody_is_anonymous(tokens: aiohttp.ClientSession) -> None:
    assert await ask(tokens, token="") == (401, "Unauthorized")
    assert await ask(tokens, token="bad") == (401, "Unauthorized")


async def test_a_certificate_names_user_and_groups(
    listener: Listener, authority: TestAuthority, reviewer: Reviewer
) -> None:
    reviewer.allowed.add(("someone", "get", "stats"))
    tls = authority.client(authority.issue("someone", "people"))
    async with session(listener, tls) as client, client.get("/stats/summary") as answer:
        assert answer.status == 200
    spec = reviewer.reviews[-1]["spec"]
    assert spec["groups"] == ["people", "system:authenticated"]
    assert spec["resourceAttributes"]["name"] == "n"


async def test_a_token_is_reviewed_and_its_user_passed_on(
    tokens: aiohttp.ClientSession, reviewer: Reviewer
) -> None:
    reviewer.allowed.add(("robot", "get", "proxy"))
    assert await ask(tokens) == (200, "ok")
    spec = reviewer.reviews[-1]["spec"]
    assert (spec["uid"], spec["groups"], spec["extra"]) == ("7", ["robots"], {"k": ["v"]})


@pytest.mark.parametrize(
    ("method", "path", "verb", "subresources"),
    [
        ("GET", "/stats/summary", "get", ["stats"]),
        ("GET", "/metrics", "get", ["metrics"]),
        ("GET", "/metrics/cadvisor", "get", ["metrics"]),
        ("GET", "/logs/", "get", ["log"]),
        ("POST", "/checkpoint/a/b/c", "create", ["checkpoint"]),
        ("GET", "/pods", "get", ["pods", "proxy"]),
        ("GET", "/runningpods/", "get", ["pods", "proxy"]),
        ("GET", "/healthz", "get", ["healthz", "proxy"]),
        ("GET", "/healthz/ping", "get", ["healthz", "proxy"]),
        ("GET", "/configz", "get", ["configz", "proxy"]),
        ("POST", "/exec/a/b/c", "create", ["proxy"]),
        ("GET", "/elsewhere", "get", ["proxy"]),
        ("HEAD", "/healthz", "", ["healthz", "proxy"]),
    ],
)
async def test_what_is_asked_about_a_request(
    tokens: aiohttp.ClientSession,
    reviewer: Reviewer,
    method: str,
    path: str,
    verb: str,
    subresources: list[str],
) -> None:
    status, text = await ask(tokens, path, method=method)
    assert reviewer.asked == [("robot", verb, each) for each in subresources]
    assert status == 403
    listed = " ".join(subresources)
    if method != "HEAD":
        assert text == f"Forbidden (user=robot, verb={verb}, resource=nodes, subresource(s)=[{listed}])"


async def test_decisions_hold_for_a_while(
    tokens: aiohttp.ClientSession, reviewer: Reviewer, clock: FakeClock
) -> None:
    assert (await ask(tokens))[0] == 403
    reviewer.allowed.add(("robot", "get", "pods"))
    assert (await ask(tokens))[0] == 403
    await clock.advance(31)
    assert (await ask(tokens))[0] == 200
    reviewer.allowed.clear()
    reviewer.away = True
    await clock.advance(60)
    assert (await ask(tokens))[0] == 200  # token and decision are known


async def test_without_the_api_server_nobody_new_gets_in(
    tokens: aiohttp.ClientSession,
    listener: Listener,
    authority: TestAuthority,
    reviewer: Reviewer,
) -> None:
    reviewer.away = True
    assert await ask(tokens) == (401, "Unauthorized")
    tls = authority.client(authority.issue("someone", "people"))
    async with session(listener, tls) as client:
        status, text = await ask(client, "/metrics", token="")
    assert status == 500
    assert text == "Authorization error (user=someone, verb=get, resource=nodes, subresource=metrics)"


def test_what_is_remembered_is_bounded(clock: FakeClock) -> None:
    remembered: Remembered[int, int] = Remembered(clock, most=2)
    for each in range(3):
        remembered.keep(each, each, seconds=10)
    assert [each in remembered for each in range(3)] == [False, True, True]
