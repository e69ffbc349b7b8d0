"""Lists with limits, continue tokens and resourceVersions in all their combinations, refused or answered."""

import asyncio
import base64
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote

import orjson
import pytest

from kubeling.objects.clock import FakeClock
from kubeling.objects.errors import Timeout
from server.registry import freshness
from server.storage import Store

MAPS = "/api/v1/namespaces/default/configmaps"
IS_INVALID = 'ListOptions.meta.k8s.io "" is invalid: '
NO_TOKEN = "invalid continue token: continue key is not valid"
NO_MATCH = "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden "


async def _names(api: Any, query: str) -> list[str]:
    answer = await api.get(f"{MAPS}?{query}")
    assert answer.status == 200, answer.body
    return [item["metadata"]["name"] for item in answer.json["items"]]


def _token(content: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("limit=", 'strconv.ParseInt: parsing "": invalid syntax'),
        ("timeoutSeconds=1_0", 'strconv.ParseInt: parsing "1_0": invalid syntax'),
        (
            "limit=9223372036854775808",
            'strconv.ParseInt: parsing "9223372036854775808": value out of range',
        ),
        (
            "resourceVersion=x",
            'invalid resource version: resourceVersion: Invalid value: "x": strconv.ParseUint: parsing "x":'
            " invalid syntax",
        ),
        (
            "fieldSelector=spec.x%3Dy",
            '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
        ("continue=!", f"{NO_TOKEN}: illegal base64 data at input byte 0"),
        (
            f"continue={_token({'v': 'v2'})}",
            f"{NO_TOKEN}: server does not recognize this encoded version v2",
        ),
        (
            f"continue={_token({'v': 'meta.k8s.io/v1', 'start': 'a'})}",
            f"{NO_TOKEN}: incorrect encoded start resourceVersion (version meta.k8s.io/v1)",
        ),
        (
            f"continue={_token({'v': 'meta.k8s.io/v1', 'rv': 1})}",
            f"{NO_TOKEN}: encoded start key empty (version meta.k8s.io/v1)",
        ),
    ],
)
async def test_a_parameter_that_cannot_be_read_is_a_bad_request(api: Any, query: str, message: str) -> None:
    answer = await api.get(f"{MAPS}?{query}")
    assert (answer.status, answer.message) == (400, message)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("resourceVersionMatch=Exact", f"{NO_MATCH}unless resourceVersion is provided"),
        ("resourceVersionMatch=Exact&resourceVersion=1&continue=x", f"{NO_MATCH}for continue"),
        (
            "resourceVersionMatch=Exact&resourceVersion=0",
            'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for'
            ' resourceVersion "0"',
        ),
        (
            "resourceVersionMatch=No&resourceVersion=1",
            'resourceVersionMatch: Unsupported value: "No": supported values: "Exact", "NotOlderThan", ""',
        ),
        ("sendInitialEvents=true", "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"),
        (
            "watch=1&resourceVersionMatch=NotOlderThan",
            f"{NO_MATCH}for watch unless sendInitialEvents is provided",
        ),
        (
            "watch=1&sendInitialEvents=1",
            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to"
            " NotOlderThan",
        ),
    ],
)
async def test_options_that_contradict_are_invalid(api: Any, query: str, message: str) -> None:
    answer = await api.get(f"{MAPS}?{query}")
    assert (answer.status, answer.message) == (422, IS_INVALID + message)


async def test_a_list_may_be_of_now_or_of_a_version(api: Any) -> None:
    first = await api.make_config_map("a")
    await api.make_config_map("b")
    then = first["metadata"]["resourceVersion"]
    for query in ("", "resourceVersion=0", f"resourceVersion={then}", "limit=-1"):
        assert await _names(api, query) == ["a", "b"]
    assert await _names(api, f"resourceVersion={then}&resourceVersionMatch=NotOlderThan") == ["a", "b"]
    assert await _names(api, f"resourceVersion={then}&resourceVersionMatch=Exact") == ["a"]
    assert await _names(api, f"resourceVersion={then}&limit=5") == ["a"]
    assert await _names(api, f"resourceVersion={then}&resourceVersionMatch=NotOlderThan&limit=1") == ["a"]


@pytest.mark.parametrize("selector", ["", "labelSelector=!x", "fieldSelector=metadata.name!=zz"])
async def test_chunks_stay_on_one_version(api: Any, selector: str) -> None:
    for name in "abcde":
        await api.make_config_map(name)
    answer = (await api.get(f"{MAPS}?limit=2&{selector}")).json
    await api.request("DELETE", f"{MAPS}/c")
    await api.make_config_map("dd")
    names, remaining = [], []
    while True:
        names += [item["metadata"]["name"] for item in answer["items"]]
        remaining.append(answer["metadata"].get("remainingItemCount"))
        token = answer["metadata"].get("continue")
        if not token:
            break
        answer = (await api.get(f"{MAPS}?limit=2&{selector}&continue={token}")).json
    assert names == list("abcde")
    assert remaining == ([None] * 3 if selector else [3, 1, None])


async def test_a_token_beyond_the_history_brings_one_that_works(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        await api.make_config_map(name)
    token = _token({"v": "meta.k8s.io/v1", "rv": 1, "start": "default\x00a"})
    monkeypatch.setattr("server.storage.Store.compacted_revision", 2)
    answer = await api.get(f"{MAPS}?limit=1&continue={token}")
    assert (answer.status, answer.json["reason"]) == (410, "Expired")
    assert "use the continue token in this response" in answer.message
    rest = answer.json["metadata"]["continue"]
    assert await _names(api, f"continue={rest}") == ["b", "c"]
    exact = await api.get(f"{MAPS}?resourceVersion=1&resourceVersionMatch=Exact")
    assert (exact.status, exact.message) == (410, "The resourceVersion for the provided list is too old.")


@pytest.mark.parametrize("path", [MAPS, f"{MAPS}/kube-root-ca.crt"])
async def test_a_version_of_the_future_times_out(
    api: Any, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(freshness, "LONGEST_WAIT", 0)
    answer = await api.get(f"{path}?resourceVersion=99999999")
    assert (answer.status, answer.json["reason"]) == (504, "Timeout")
    assert answer.message.startswith("Timeout: Too large resource version: 99999999, current: ")
    assert answer.json["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
    assert answer.headers["Retry-After"] == "1"


async def test_a_read_waits_for_a_version_that_is_about_to_come() -> None:
    clock, store = FakeClock(), SimpleNamespace(shared=False, revision=1)

    async def written() -> None:
        await clock.advance(1)
        store.revision = 2
        await clock.advance(0.1)

    await asyncio.gather(freshness.reached(cast(Store, store), clock, "2"), written())
    with pytest.raises(Timeout):
        await asyncio.gather(freshness.reached(cast(Store, store), clock, "3"), clock.advance(4))


async def test_a_watch_path_of_the_old_form_means_one_object(api: Any) -> None:
    await api.make_config_map("a")
    await api.make_config_map("b")
    path = "/api/v1/watch/namespaces/default/configmaps"
    answer = await api.get(f"{path}/b?timeoutSeconds=1")
    events = [orjson.loads(line) for line in answer.body.splitlines()]
    assert [event["object"]["metadata"]["name"] for event in events] == ["b"]
    refused = await api.get(f"{path}/b?fieldSelector={quote('metadata.name=a')}")
    assert refused.message == "fieldSelector metadata.name doesn't match requested name"
