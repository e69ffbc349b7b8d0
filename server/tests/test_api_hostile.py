"""Requests that nobody sends by mistake, and some that are: each gets its answer, none a traceback."""

import asyncio
import gc
import logging
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from kubeling.objects.quantity import canonical
from server import memory
from server.api import bodies
from server.api.connection import Connection
from server.api.discovery import aggregated_version
from server.api.requestinfo import _remembered, flag, parse
from server.registry.listing import revision_of
from server.schema.errors import PatchError, SchemaError
from server.schema.json_patch import MOST_COPIED, json_patch
from server.schema.strategic import strategic_merge
from server.schema.types import struct_of

MAPS = "/api/v1/namespaces/default/configmaps"
PODS = "/api/v1/namespaces/default/pods"


async def raw(api: Any, sent: bytes) -> bytes:
    """What the server answers to these bytes until it closes the connection, or has answered once."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    port = int(api.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(sent)
        return await reader.read(65536)
    finally:
        writer.close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /version HTTP/1.1\r\n\r\n",
        b"GET * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\0\1\2\r\n\r\n",
        b"POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /api HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 300_000 + b"\r\n\r\n",
        b"POST /api HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_malformed_http_is_answered_and_not_logged(
    api: Any, head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert b" 400 " in (await raw(api, head)).partition(b"\r\n")[0]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_long_selector_fits_into_the_request_line(api: Any) -> None:
    names = ",".join(f"some-rather-long-name-{number}" for number in range(2000))
    assert len(names) > 50_000
    assert (await api.get(f"{MAPS}?labelSelector=app+in+({names})")).status == 200


async def test_a_content_encoding_is_not_undone(api: Any) -> None:
    sent = {"Content_Encoding": "gzip"}
    answer = await api.post(MAPS, {"metadata": {"name": "plain"}}, **sent)
    assert answer.status == 201


async def test_a_body_that_never_ends_times_out(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.01)
    head = (
        f"POST {MAPS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.token}\r\nContent-Length: 9\r\n\r\n{{"
    )
    assert b" 504 " in (await raw(api, head.encode())).partition(b"\r\n")[0]


def test_only_short_paths_are_remembered() -> None:
    before = _remembered.cache_info().currsize
    assert parse("GET", "/api/v1/namespaces/" + "a" * 5000, {}).name == "a" * 5000
    assert _remembered.cache_info().currsize == before


@pytest.mark.parametrize(
    ("value", "meaning"), [("", True), ("1", True), ("maybe", True), ("0", False), ("False", False)]
)
def test_a_flag_is_false_only_when_it_says_so(value: str, meaning: bool) -> None:
    assert flag({"watch": [value]}, "watch") is meaning


@pytest.mark.parametrize("options", [{"preconditions": "x"}, {"dryRun": 5}, {"gracePeriodSeconds": "1"}])
async def test_delete_options_of_wrong_types_are_refused(api: Any, options: Any) -> None:
    await api.make_config_map("kept")
    answer = await api.request("DELETE", f"{MAPS}/kept", body=options)
    assert answer.status == 400
    assert answer.message.startswith(
        'DeleteOptions in version "v1" cannot be handled as a DeleteOptions: json:'
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [("9" * 5000, "value out of range"), ("٣", "invalid syntax"), ("-1", "invalid syntax")],
)
async def test_a_revision_that_is_none_is_refused(api: Any, text: str, why: str) -> None:
    answer = await api.get(f"{MAPS}?resourceVersion={text}")
    parsing = f'strconv.ParseUint: parsing "{text}": {why}'
    message = f'invalid resource version: resourceVersion: Invalid value: "{text}": {parsing}'
    assert (answer.status, answer.message) == (400, message)
    assert revision_of("") == 0


async def test_an_endless_watch_is_accepted(api: Any) -> None:
    stream = await api.stream(f"{MAPS}?watch=1&timeoutSeconds={'9' * 18}")
    assert stream.status == 200


async def test_an_absurd_grace_period_is_a_date_all_the_same(api: Any) -> None:
    await api.post("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    spec = {
        "containers": [{"name": "c", "image": "i"}],
        "nodeName": "n",
        "terminationGracePeriodSeconds": 2**62,
    }
    assert (await api.post(PODS, {"metadata": {"name": "p"}, "spec": spec})).status == 201
    deleted = await api.request("DELETE", f"{PODS}/p")
    assert deleted.json["metadata"]["deletionGracePeriodSeconds"] == 10**10


async def test_a_priority_class_without_a_value_has_none_and_harms_no_pod(api: Any) -> None:
    classes = "/apis/scheduling.k8s.io/v1/priorityclasses"
    made = await api.post(classes, {"metadata": {"name": "c"}, "globalDefault": True})
    assert made.json["value"] == 0
    await api.post("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    assert (await api.post(PODS, pod)).json["spec"]["priorityClassName"] == "c"


async def test_data_outside_ascii_is_no_base64(api: Any) -> None:
    secret = {"metadata": {"name": "s"}, "data": {"a": "é"}}
    answer = await api.post("/api/v1/namespaces/default/secrets", secret)
    assert (answer.status, "illegal base64 data" in answer.message) == (400, True)


async def test_a_status_names_no_more_than_a_thousand_causes(api: Any) -> None:
    labels = {f"a{number}/": "" for number in range(2000)}
    answer = await api.post(MAPS, {"metadata": {"name": "a", "labels": labels}})
    assert (answer.status, len(answer.json["details"]["causes"])) == (422, 1000)


def test_copies_that_double_an_object_again_and_again_are_refused() -> None:
    doubling = [{"op": "copy", "from": "/a", "path": f"/a/{number}"} for number in range(60)]
    with pytest.raises(PatchError, match=f"more than {MOST_COPIED} bytes"):
        json_patch({"a": {"b": "c"}}, doubling)


def test_copies_within_reason_are_made() -> None:
    patch = [{"op": "copy", "from": "/a", "path": "/b"}, {"op": "replace", "path": "/a", "value": 2}]
    assert json_patch({"a": 1}, patch) == {"a": 2, "b": 1}


@pytest.mark.parametrize("source", ["/missing", "/list/-", 5, None])
def test_a_copy_from_nowhere_is_refused(source: Any) -> None:
    with pytest.raises(PatchError):
        json_patch({"a": 1, "list": []}, [{"op": "copy", "from": source, "path": "/b"}])


@pytest.mark.parametrize(
    "patch",
    [
        {"$deleteFromPrimitiveList/finalizers": 5},
        {"$setElementOrder/finalizers": 5},
        {"$setElementOrder/finalizers": ["a/a"], "finalizers": ["c/c"]},
        {"$setElementOrder/ownerReferences": [None]},
        {"$setElementOrder/ownerReferences": 5, "ownerReferences": [{"uid": "u"}]},
        {"$setElementOrder/ownerReferences": [{"uid": "v"}], "ownerReferences": [{"uid": "w"}]},
        {"ownerReferences": [None]},
    ],
)
def test_malformed_directives_are_patch_errors(patch: Any) -> None:
    struct = struct_of("", "v1", "ConfigMap")
    assert struct is not None
    current = {"metadata": {"finalizers": ["a/a", "b/b"], "ownerReferences": [{"uid": "u"}, {"uid": "v"}]}}
    with pytest.raises(SchemaError):
        strategic_merge(struct, current, {"metadata": patch})


@pytest.mark.parametrize("text", ["9" * 1_000_000, "9" * 1_000_000 + "n", "9" * 2000 + "Ei"])
def test_a_quantity_of_a_million_digits_is_the_largest_there_is(text: str) -> None:
    assert canonical(text) == str(2**63 - 1)


async def test_a_hundred_patches_at_once_all_take_effect(api: Any) -> None:
    await api.make_config_map("many")

    async def patch(number: int) -> int:
        media = "application/merge-patch+json"
        body = {"data": {f"k{number}": "v"}}
        answer = await api.request("PATCH", f"{MAPS}/many", body=body, Content_Type=media)
        return int(answer.status)

    assert set(await asyncio.gather(*(patch(number) for number in range(100)))) == {200}
    assert len((await api.get(f"{MAPS}/many")).json["data"]) == 100


async def test_what_does_not_exist_leaves_nothing_in_the_metrics(api: Any) -> None:
    for number in range(20):
        await api.get(f"/apis/example{number}.org/v1/things", token="")
        await api.get(f"/page{number}")
        await api.get(f"/api/v1/nothing{number}")
    assert (await api.get(MAPS)).status == 200
    page = (await api.get("/metrics")).body.decode()
    assert "example1.org" not in page
    assert "page1" not in page
    assert "nothing1" not in page
    assert 'apiserver_request_total{code="200",group="",resource="configmaps"' in page


def test_accept_headers_are_not_remembered_without_bound() -> None:
    for number in range(400):
        aggregated_version(f"application/json;q=0.{number}")
    assert aggregated_version.cache_info().currsize <= 256


async def test_a_client_that_goes_in_the_middle_of_its_body_leaves_nothing_behind(api: Any) -> None:
    lines = (
        f"POST {MAPS} HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {api.token}",
        "Content-Length: 900000",
    )
    head = "\r\n".join((*lines, "", ""))
    context = ssl._create_unverified_context()
    port = int(api.url.rpartition(":")[2])
    gc.collect()
    before = _connections()
    gc.disable()
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(head.encode() + b"x" * 100_000)
        await _until(lambda: _connections() > before)
        writer.transport.abort()
        await _until(lambda: _connections() == before)
    finally:
        gc.enable()


def _connections() -> int:
    return sum(isinstance(each, Connection) for each in gc.get_objects())


async def _until(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not come to that")


async def test_an_audit_id_of_the_client_is_kept(api: Any) -> None:
    answer = await api.get("/version", Audit_ID="my-own")
    assert answer.headers["Audit-Id"] == "my-own"


def test_memory_is_given_back_after_a_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = memory.Memory()
    monkeypatch.setattr(memory, "WORTHWHILE", 0)
    burst = [bytes(50_000) for _ in range(2000)]
    held = burst[::100]
    grown = memory.resident()
    del burst
    kept.give_back()
    assert memory.resident() < grown - 50 * 2**20
    assert len(held) == 20
