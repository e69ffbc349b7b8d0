"""Custom resources whose versions a webhook converts: a real HTTPS server on the loopback interface."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import web

from kubeling.cluster.keys import Pki
from server.tests.test_custom_api import CRDS, MERGE, definition, established, version, widget

V1 = "/apis/example.com/v1/namespaces/default/widgets"
BETA = "/apis/example.com/v1beta1/namespaces/default/widgets"

Convert = Callable[[dict[str, Any], str], Any]


class Webhook:
    """Converts `color` (v1) from and to `colour` (v1beta1); `convert` and `review` can be replaced."""

    def __init__(self, url: str, keys: Pki) -> None:
        self.url = url
        self.bundle = base64.b64encode(keys.authority.certificate.read_bytes()).decode()
        self.requests: list[dict[str, Any]] = []
        self.convert: Convert = renamed
        self.review: Callable[[dict[str, Any]], dict[str, Any]] = lambda review: review

    async def answer(self, request: web.Request) -> web.Response:
        asked = (await request.json())["request"]
        self.requests.append(asked)
        objects = [self.convert(each, asked["desiredAPIVersion"]) for each in asked["objects"]]
        response = {"uid": asked["uid"], "convertedObjects": objects, "result": {"status": "Success"}}
        review = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview", "response": response}
        return web.json_response(self.review(review))

    def definition(self, **client: Any) -> dict[str, Any]:
        config = client or {"url": self.url, "caBundle": self.bundle}
        webhook = {"conversionReviewVersions": ["v1"], "clientConfig": config}
        old = version("v1beta1", storage=False)
        properties = old["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
        properties["colour"] = properties.pop("color")
        return definition(version(), old, conversion={"strategy": "Webhook", "webhook": webhook})


def renamed(obj: dict[str, Any], api_version: str) -> dict[str, Any]:
    names = ("colour", "color") if api_version.endswith("/v1") else ("color", "colour")
    spec = {names[1] if key == names[0] else key: value for key, value in obj["spec"].items()}
    return {**obj, "apiVersion": api_version, "spec": spec}


@pytest.fixture
async def webhook(keys: Pki) -> AsyncIterator[Webhook]:
    async with AsyncExitStack() as parts:
        app = web.Application()
        runner = web.AppRunner(app)
        hook = Webhook("", keys)
        app.router.add_post("/convert", hook.answer)
        await runner.setup()
        parts.push_async_callback(runner.cleanup)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(keys.server.certificate, keys.server.key)
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        port = runner.addresses[0][1]
        hook.url = f"https://127.0.0.1:{port}/convert"
        yield hook


async def test_objects_are_seen_in_the_version_that_is_asked_for(api: Any, webhook: Webhook) -> None:
    await established(api, webhook.definition())
    created = await api.post(V1, widget(color="red"))
    assert created.status == 201, created.body
    assert not webhook.requests
    found = await api.get(f"{BETA}/w1")
    assert found.status == 200, found.body
    assert (found.json["apiVersion"], found.json["spec"]["colour"]) == ("example.com/v1beta1", "red")
    assert webhook.requests[0]["desiredAPIVersion"] == "example.com/v1beta1"
    await api.get(f"{BETA}/w1")
    assert len(webhook.requests) == 1


async def test_writes_in_another_version_are_stored_in_the_one_for_storage(
    api: Any, webhook: Webhook
) -> None:
    await established(api, webhook.definition())
    created = await api.post(BETA, widget(version="v1beta1", colour="blue"))
    assert created.status == 201, created.body
    assert created.json["spec"]["colour"] == "blue"
    assert (await api.get(f"{V1}/w1")).json["spec"]["color"] == "blue"
    patched = await api.request("PATCH", f"{BETA}/w1", body={"spec": {"colour": "green"}}, **MERGE)
    assert patched.json["spec"]["colour"] == "green"
    assert (await api.get(f"{V1}/w1")).json["spec"]["color"] == "green"
    assert (await api.get(BETA)).json["items"][0]["spec"]["colour"] == "green"


async def test_a_watch_shows_converted_objects(api: Any, webhook: Webhook) -> None:
    await established(api, webhook.definition())
    watch = await api.stream(f"{BETA}?watch=true")
    await api.post(V1, widget(color="red"))
    async with asyncio.timeout(5):
        line = await watch.content.readline()
    assert b'"colour":"red"' in line


def _failure(text: str) -> str:
    return f"conversion webhook for example.com/v1, Kind=Widget {text}"


async def test_a_refusal_is_told_with_the_webhooks_words(api: Any, webhook: Webhook) -> None:
    await established(api, webhook.definition())
    await api.post(V1, widget(color="red"))

    def refused(review: dict[str, Any]) -> dict[str, Any]:
        review["response"]["result"] = {"status": "Failure", "message": "no such colour"}
        return review

    webhook.review = refused
    answer = await api.get(f"{BETA}/w1")
    assert (answer.status, answer.message) == (500, _failure("failed: no such colour"))


async def test_a_webhook_that_is_away_is_told_of(api: Any, webhook: Webhook, unused_port: int) -> None:
    url = f"https://127.0.0.1:{unused_port}/convert"
    await established(api, webhook.definition(url=url, caBundle=webhook.bundle))
    await api.post(V1, widget(color="red"))
    answer = await api.get(f"{BETA}/w1")
    why = f"dial tcp 127.0.0.1:{unused_port}: connect: connection refused"
    assert answer.message == _failure(f'failed: Post "{url}?timeout=30s": {why}')


async def test_a_certificate_of_another_authority_is_not_trusted(api: Any, webhook: Webhook) -> None:
    await established(api, webhook.definition(url=webhook.url))
    await api.post(V1, widget(color="red"))
    answer = await api.get(f"{BETA}/w1")
    assert (
        "tls: failed to verify certificate: x509: certificate signed by unknown authority" in answer.message
    )


async def test_a_service_without_endpoints_is_told_of(api: Any, webhook: Webhook) -> None:
    service = {"namespace": "default", "name": "hook", "path": "/convert"}
    await established(api, webhook.definition(service=service, caBundle=webhook.bundle))
    await api.post(V1, widget(color="red"))
    answer = await api.get(f"{BETA}/w1")
    url = "https://hook.default.svc:443/convert?timeout=30s"
    assert answer.message == _failure(f'failed: Post "{url}": service "hook" not found')


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"apiVersion": "example.com/v2"}, "invalid groupVersion (expected example.com/v1beta1, received"),
        ({"kind": "Gadget"}, "invalid kind (expected Widget, received Gadget)"),
        ({"metadata": {"name": "other"}}, "must have the same name: w1 != other"),
    ],
)
async def test_what_comes_back_must_be_the_same_object(
    api: Any, webhook: Webhook, change: dict[str, Any], why: str
) -> None:
    await established(api, webhook.definition())
    await api.post(V1, widget(color="red"))
    webhook.convert = lambda obj, wanted: {**renamed(obj, wanted), **change}
    answer = await api.get(f"{BETA}/w1")
    assert answer.status == 500
    assert why in answer.message


async def test_of_the_metadata_a_webhook_changes_labels_and_annotations_only(
    api: Any, webhook: Webhook
) -> None:
    await established(api, webhook.definition())
    await api.post(V1, widget(color="red"))

    def convert(obj: dict[str, Any], wanted: str) -> dict[str, Any]:
        own = {**obj["metadata"], "labels": {"by": "hook"}, "generation": 99}
        return {**renamed(obj, wanted), "metadata": own}

    webhook.convert = convert
    own = (await api.get(f"{BETA}/w1")).json["metadata"]
    assert (own["labels"], own["generation"]) == ({"by": "hook"}, 1)


async def test_a_definition_with_a_broken_webhook_can_be_deleted(
    api: Any, webhook: Webhook, unused_port: int
) -> None:
    url = f"https://127.0.0.1:{unused_port}/convert"
    await established(api, webhook.definition(url=url, caBundle=webhook.bundle))
    await api.post(V1, widget(color="red"))
    assert (await api.request("DELETE", f"{CRDS}/widgets.example.com")).status == 200
    async with asyncio.timeout(5):
        while (await api.get(f"{CRDS}/widgets.example.com")).status != 404:  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def applied(version: str, **spec: Any) -> dict[str, Any]:
    return widget("w1", version=version, **spec)


async def apply(api: Any, path: str, body: Any, manager: str) -> Any:
    headers = {"Content_Type": "application/apply-patch+yaml"}
    return await api.request("PATCH", f"{path}/w1?fieldManager={manager}", body=body, **headers)


def owners(obj: dict[str, Any]) -> dict[str, Any]:
    return {each["manager"]: each["fieldsV1"] for each in obj["metadata"]["managedFields"]}


async def test_fields_that_others_own_in_another_version_conflict(api: Any, webhook: Webhook) -> None:
    await established(api, webhook.definition())
    assert (await apply(api, V1, applied("v1", color="red"), "one")).status == 201
    answer = await apply(api, BETA, applied("v1beta1", colour="blue"), "two")
    assert answer.status == 409
    assert answer.message == 'Apply failed with 1 conflict: conflict with "one": .spec.color'


async def test_an_update_takes_fields_from_who_owns_them_in_another_version(
    api: Any, webhook: Webhook
) -> None:
    await established(api, webhook.definition())
    assert (await apply(api, BETA, applied("v1beta1", colour="red", when="now"), "one")).status == 201
    patch = {"spec": {"color": "blue"}}
    changed = await api.request("PATCH", f"{V1}/w1?fieldManager=two", body=patch, **MERGE)
    assert owners(changed.json) == {"one": {"f:spec": {"f:when": {}}}, "two": {"f:spec": {"f:color": {}}}}


async def test_an_update_in_the_stored_version_goes_on_when_the_webhook_is_away(
    api: Any, webhook: Webhook
) -> None:
    await established(api, webhook.definition())
    assert (await apply(api, BETA, applied("v1beta1", colour="red"), "one")).status == 201
    webhook.review = lambda review: {"broken": True}
    patch = {"spec": {"color": "blue"}}
    changed = await api.request("PATCH", f"{V1}/w1?fieldManager=two", body=patch, **MERGE)
    assert (changed.status, changed.json["spec"]["color"]) == (200, "blue")
