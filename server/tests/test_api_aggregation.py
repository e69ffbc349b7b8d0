"""APIs of other servers: requests reach them in the name of who asks, discovery lists them."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from kubeling.client.resources import Resource
from kubeling.cluster.certificates import Profile, ensure_authority, ensure_leaf
from kubeling.cluster.keys import Pair, Pki
from kubeling.objects.clock import SystemClock
from kubeling.objects.errors import NotFound, ServiceUnavailable
from server.api.aggregation.client import RemoteApis
from server.api.aggregation.connections import RemoteConnections
from server.api.aggregation.remotes import Remotes
from server.config import Config, KeyPair
from server.inprocess import account
from server.main import start
from server.tests.conftest import ApiServer

GROUP = "wardle.example.com"
NAME = f"v1alpha1.{GROUP}"
PATH = f"/apis/{GROUP}/v1alpha1"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
RESOURCES: dict[str, Any] = {
    "kind": "APIResourceList",
    "groupVersion": f"{GROUP}/v1alpha1",
    "resources": [
        {
            "name": "flunders",
            "singularName": "flunder",
            "namespaced": True,
            "kind": "Flunder",
            "verbs": ["get"],
        },
        {"name": "flunders/status", "singularName": "", "kind": "Flunder", "verbs": ["update"]},
    ],
}


@dataclass
class Other:
    """The other server. Only who shows the front proxy's certificate gets in."""

    port: int = 0
    bundle: str = ""
    seen: list[web.BaseRequest] = field(default_factory=list)

    async def answer(self, request: web.BaseRequest) -> web.Response:
        self.seen.append(request)
        if request.path == PATH:
            return web.json_response(RESOURCES)
        if request.path == "/openapi/v3":
            document = {"serverRelativeURL": f"/openapi/v3{PATH}?hash=H"}
            return web.json_response({"paths": {PATH.lstrip("/"): document}})
        said = {"path": request.path_qs, "body": await request.text(), "method": request.method}
        return web.json_response(said, status=201 if request.method == "POST" else 200)


@pytest.fixture
async def other(keys: Pki) -> AsyncIterator[Other]:
    now = datetime.now(UTC)
    authority, leaf = (
        Pair(keys.directory / f"{each}.crt", keys.directory / f"{each}.key") for each in ("other-ca", "other")
    )
    profile = Profile("other", names=("api.default.svc",), server=True)
    ensure_leaf(leaf, profile, ensure_authority(authority, "other-ca", now=now), now=now)
    context = ssl.create_default_context(
        ssl.Purpose.CLIENT_AUTH, cafile=str(keys.front_proxy_authority.certificate)
    )
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(leaf.certificate, leaf.key)
    server = Other(bundle=base64.b64encode(authority.certificate.read_bytes()).decode())
    runner = web.ServerRunner(web.Server(server.answer))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    server.port = int(site.name.rpartition(":")[2])
    yield server
    await runner.cleanup()


def api_service(other: Other, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": NAME},
        "spec": {
            "group": GROUP,
            "version": "v1alpha1",
            "groupPriorityMinimum": 2000,
            "versionPriority": 200,
            "service": {"namespace": "default", "name": "api", "port": other.port},
            "caBundle": other.bundle,
            **spec,
        },
    }


def service(other: Other, **spec: Any) -> dict[str, Any]:
    outside = {"type": "ExternalName", "externalName": "localhost"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "api"}, "spec": spec or outside}


async def condition(api: ApiServer, reason: str) -> dict[str, Any]:
    """The APIService's condition, once it has that reason."""
    async with asyncio.timeout(20):
        while True:
            found = (await api.get(f"/apis/apiregistration.k8s.io/v1/apiservices/{NAME}")).json
            for each in (found.get("status") or {}).get("conditions") or ():
                if each["reason"] == reason:
                    return dict(each)
            await asyncio.sleep(0.02)


async def register(api: ApiServer, other: Other, **spec: Any) -> None:
    answer = await api.post("/apis/apiregistration.k8s.io/v1/apiservices", api_service(other, **spec))
    assert answer.status == 201, answer.body


async def make_service(api: ApiServer, obj: dict[str, Any]) -> None:
    answer = await api.post("/api/v1/namespaces/default/services", obj)
    assert answer.status == 201, answer.body


async def test_requests_reach_the_other_server_in_the_name_of_who_asks(api: ApiServer, other: Other) -> None:
    await make_service(api, service(other))
    await register(api, other)
    assert (await condition(api, "Passed"))["message"] == "all checks passed"
    other.seen.clear()
    answer = await api.request(
        "POST", f"{PATH}/namespaces/a/flunders?dryRun=All", body={"x": 1}, X_Remote_User="mallory"
    )
    assert answer.status == 201
    assert answer.json == {
        "method": "POST",
        "path": f"{PATH}/namespaces/a/flunders?dryRun=All",
        "body": '{"x":1}',
    }
    [request] = other.seen
    assert request.headers.getall("X-Remote-User") == ["kubernetes-admin"]
    assert request.headers.getall("X-Remote-Group") == ["system:masters", "system:authenticated"]
    assert "Authorization" not in request.headers
    assert request.headers["Host"] == "api.default.svc"


async def test_who_may_not_is_refused_before(api: ApiServer, other: Other) -> None:
    await make_service(api, service(other))
    await register(api, other)
    await condition(api, "Passed")
    answer = await api.request("GET", f"{PATH}/flunders", token="bobs-token")
    assert (answer.status, answer.json["reason"]) == (403, "Forbidden")


async def test_discovery_and_openapi_list_what_the_other_server_has(api: ApiServer, other: Other) -> None:
    await make_service(api, service(other))
    await register(api, other)
    await condition(api, "Passed")
    groups = (await api.get("/apis")).json["groups"]
    assert groups[-1]["preferredVersion"] == {"groupVersion": f"{GROUP}/v1alpha1", "version": "v1alpha1"}
    assert (await api.get(PATH)).json == RESOURCES
    [item] = [
        each
        for each in (await api.get("/apis", Accept=AGGREGATED)).json["items"]
        if each["metadata"]["name"] == GROUP
    ]
    kind = {"group": GROUP, "version": "v1alpha1", "kind": "Flunder"}
    assert item["versions"] == [
        {
            "version": "v1alpha1",
            "freshness": "Current",
            "resources": [
                {
                    "resource": "flunders",
                    "responseKind": kind,
                    "scope": "Namespaced",
                    "singularResource": "flunder",
                    "verbs": ["get"],
                    "subresources": [{"subresource": "status", "responseKind": kind, "verbs": ["update"]}],
                }
            ],
        }
    ]
    paths = (await api.get("/openapi/v3")).json["paths"]
    assert paths[PATH.lstrip("/")] == {"serverRelativeURL": f"/openapi/v3{PATH}?hash=H"}
    assert (await api.get(f"/openapi/v3{PATH}?hash=H")).json["path"] == f"/openapi/v3{PATH}?hash=H"


async def test_a_server_that_is_away_is_said_to_be(api: ApiServer, other: Other) -> None:
    await register(api, other)
    found = await condition(api, "ServiceNotFound")
    assert (found["status"], found["message"]) == ("False", 'service/api in "default" is not present')
    answer = await api.get(f"{PATH}/flunders")
    assert (answer.status, answer.body) == (503, b"service unavailable\n")
    listed = (await api.get("/apis", Accept=AGGREGATED)).json["items"][-1]
    assert (listed["metadata"]["name"], listed["versions"][0]["freshness"]) == (GROUP, "Stale")


@pytest.mark.parametrize(
    ("port", "reason", "message"),
    [
        (1, "ServicePortError", 'service/api in "default" is not listening on port'),
        (0, "EndpointsNotFound", 'cannot find endpointslices for service/api in "default"'),
    ],
)
async def test_what_is_wrong_with_its_service_is_said(
    port: int, reason: str, message: str, api: ApiServer, other: Other
) -> None:
    await make_service(api, service(other, ports=[{"port": port or other.port}]))
    await register(api, other)
    assert message in (await condition(api, reason))["message"]


async def test_an_answer_that_is_no_success_is_told_of(api: ApiServer, other: Other) -> None:
    await make_service(api, service(other, type="ExternalName", externalName="localhost"))
    await register(api, other, service={"namespace": "default", "name": "api", "port": 1})
    found = await condition(api, "FailedDiscoveryCheck")
    assert found["message"].startswith(f"failing or missing response from https://localhost:1{PATH}: Get")


async def test_a_certificate_of_another_authority_is_not_trusted(api: ApiServer, other: Other) -> None:
    """Whether the server is there is asked without looking at its certificate, as upstream does."""
    await make_service(api, service(other))
    await register(api, other, caBundle=None)
    await condition(api, "Passed")
    assert (await api.get(f"{PATH}/flunders")).status == 503


async def test_an_api_is_gone_with_its_apiservice(api: ApiServer, other: Other) -> None:
    await make_service(api, service(other))
    await register(api, other)
    await condition(api, "Passed")
    await api.request("DELETE", f"/apis/apiregistration.k8s.io/v1/apiservices/{NAME}")
    async with asyncio.timeout(20):
        while True:
            if (await api.get(f"{PATH}/flunders")).status == 404:
                break
            await asyncio.sleep(0.02)
    assert GROUP not in {each["name"] for each in (await api.get("/apis")).json["groups"]}


async def test_how_clients_are_known_is_published(api: ApiServer) -> None:
    path = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
    data = (await api.get(path)).json["data"]
    assert data["requestheader-allowed-names"] == '["front-proxy-client"]'
    assert data["requestheader-client-ca-file"] == api.keys.front_proxy_authority.certificate.read_text()
    assert data["client-ca-file"] == api.keys.authority.certificate.read_text()


@asynccontextmanager
async def running(config: Config, keys: Pki) -> AsyncIterator[ApiServer]:
    """One of several servers that run after each other."""
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False))
    async with AsyncExitStack() as parts, session:
        port = await start(config, parts, clock=SystemClock(), loops=False)
        yield ApiServer(session, url=f"https://127.0.0.1:{port}", keys=keys)


async def test_what_the_server_answers_itself_is_not_led_elsewhere_for_long(
    config: Config, keys: Pki
) -> None:
    path = "/apis/apiregistration.k8s.io/v1/apiservices/v1.apps"
    async with running(config, keys) as api:
        wanted = (await api.get(path)).json["spec"]
        patch = {"spec": {"groupPriorityMinimum": 5}}
        changed = await api.request("PATCH", path, body=patch, Content_Type="application/merge-patch+json")
        assert changed.json["spec"] != wanted
    async with running(config, keys) as api:
        assert (await api.get(path)).json["spec"] == wanted


@asynccontextmanager
async def _apis(other: Other, keys: Pki, *, available: bool) -> AsyncIterator[RemoteApis]:
    proxy = KeyPair(keys.front_proxy.certificate, keys.front_proxy.key)
    connections = RemoteConnections(lambda *_: ("127.0.0.1", other.port), proxy)
    remotes = Remotes()
    condition = {"type": "Available", "status": str(available)}
    remotes.changed("ADDED", {**api_service(other), "status": {"conditions": [condition]}}, None)
    remotes.learn((GROUP, "v1alpha1"), RESOURCES["resources"], "")
    yield RemoteApis(remotes, connections, SystemClock())
    await connections.close()


FLUNDERS = Resource(GROUP, "v1alpha1", "flunders", "Flunder")


async def test_the_servers_own_components_ask_another_server_in_their_names(other: Other, keys: Pki) -> None:
    async with _apis(other, keys, available=True) as apis:
        found = await apis.discovery()
        assert (found.preferred, found.failures) == ([FLUNDERS], {})
        client = apis.client(account("namespace-controller"))
        assert (await client.list(FLUNDERS, namespace="a")).items == []
        await client.delete_collection(FLUNDERS, namespace="a", propagation_policy="Background")
    asked = [(each.method, each.path, each.headers["X-Remote-User"]) for each in other.seen]
    who, place = "system:serviceaccount:kube-system:namespace-controller", f"{PATH}/namespaces/a/flunders"
    assert asked == [("GET", place, who), ("DELETE", place, who)]


async def test_of_a_server_that_is_away_only_that_is_known(other: Other, keys: Pki) -> None:
    async with _apis(other, keys, available=False) as apis:
        place = f"{GROUP}/v1alpha1"
        assert await apis.discovery() == ([], [], {place: f"stale GroupVersion discovery: {place}"})
        with pytest.raises(ServiceUnavailable):
            await apis.client(account("namespace-controller")).list(FLUNDERS)
        with pytest.raises(NotFound):
            await apis.client(account("namespace-controller")).fetch("/apis/other/v1/things", {})
    assert other.seen == []
