"""Custom resources over HTTPS: what their objects may be, what is refused and what is warned of."""

import asyncio
from typing import Any

import orjson
import pytest

from server.tests.test_custom_api import (
    CRDS,
    MERGE,
    WIDGETS,
    definition,
    established,
    make,
    read,
    until,
    version,
    widget,
)


async def test_a_broken_rule_on_what_did_not_change_is_a_warning(api: Any) -> None:
    wanted = definition()
    await established(api, wanted)
    await make(api, color="red")
    found = await read(api)
    spec = found["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    rule = {"rule": "self.startsWith('blue')", "message": "blue it must be"}
    spec["properties"]["color"]["x-kubernetes-validations"] = [rule]
    assert (await api.request("PUT", f"{CRDS}/{found['metadata']['name']}", body=found)).status == 200

    async def refused() -> bool:
        return bool((await api.post(WIDGETS, widget("other", color="red"))).status == 422)

    await until(refused)
    answer = await api.request("PATCH", f"{WIDGETS}/w1", body={"spec": {"when": "now"}}, **MERGE)
    assert answer.status == 200
    assert answer.headers["Warning"] == '299 - "spec.color: Invalid value: \\"red\\": blue it must be"'


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        (
            {"kind": "Gadget"},
            422,
            'Gadget.example.com "w1" is invalid: kind: Invalid value: "Gadget": must be Widget',
        ),
        (
            {"apiVersion": ""},
            400,
            "the API version in the data () does not match the expected API version (example.com/v1)",
        ),
    ],
)
async def test_kind_and_version_are_never_guessed(api: Any, change: Any, status: int, message: str) -> None:
    await established(api, definition())
    answer = await api.post(WIDGETS, widget() | change)
    assert (answer.status, answer.message) == (status, message)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"n": "x"}, "0: .spec.n accessor error: x is of the type string, expected int64"),
        ({"n": -1}, "-1: should be a non-negative integer"),
        ({"n": 2**31}, "2147483648: should be less than or equal to 2147483647"),
    ],
)
async def test_what_is_scaled_has_a_number_of_replicas(api: Any, spec: Any, why: str) -> None:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    scale = {"specReplicasPath": ".spec.n", "statusReplicasPath": ".status.n"}
    await established(
        api, definition(version(schema={"openAPIV3Schema": schema}, subresources={"scale": scale}))
    )
    answer = await api.post(WIDGETS, widget(**spec))
    assert answer.message == f'Widget.example.com "w1" is invalid: .spec.n: Invalid value: {why}'


async def test_formats_that_nobody_checks_are_warned_of_once(api: Any) -> None:
    wanted = definition()
    spec = wanted["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["when"]["format"] = "some-day"
    spec["properties"]["replicas"]["format"] = "int32"
    spec["properties"]["color"]["format"] = "int32"
    answer = await api.post(CRDS, wanted)
    assert answer.headers.getall("Warning") == [
        f'299 - "unrecognized format \\"{name}\\""' for name in ("int32", "some-day")
    ]
    changed = await api.request(
        "PATCH",
        f"{CRDS}/{wanted['metadata']['name']}",
        body={"spec": {"names": {"shortNames": ["x"]}}},
        **MERGE,
    )
    assert "Warning" not in changed.headers


async def test_the_metadata_of_a_definition_is_written_through_its_status_as_well(api: Any) -> None:
    found = await established(api, definition())
    change = {
        "metadata": {"labels": {"a": "b"}},
        "status": {"conditions": [{**found["status"]["conditions"][0], "observedGeneration": 1}]},
    }
    answer = await api.request("PATCH", f"{CRDS}/{found['metadata']['name']}/status", body=change, **MERGE)
    assert answer.json["metadata"]["labels"] == {"a": "b"}
    assert "observedGeneration" not in answer.json["status"]["conditions"][0]


async def test_what_is_not_there_cannot_be_replaced(api: Any) -> None:
    await established(api, definition())
    assert (await api.request("PUT", f"{WIDGETS}/w1", body=widget())).status == 404


@pytest.mark.parametrize("path", [f"{WIDGETS}/nobody", f"{WIDGETS}?fieldManager={'x' * 200}"])
async def test_deprecated_versions_are_warned_of_whatever_the_answer(api: Any, path: str) -> None:
    await established(api, definition(version(deprecated=True)))
    answer = await (api.get(path) if "?" not in path else api.post(path, widget()))
    assert answer.status >= 400
    assert answer.headers["Warning"] == '299 - "example.com/v1 Widget is deprecated"'


async def test_unknown_fields_are_told_of_a_refused_object_as_well(api: Any) -> None:
    await established(api, definition())
    answer = await api.post(WIDGETS, widget(extra=1, replicas=-1))
    assert answer.status == 422
    assert answer.headers["Warning"] == '299 - "unknown field \\"spec.extra\\""'


async def test_a_patch_cannot_make_another_kind_of_it(api: Any) -> None:
    await established(api, definition())
    await make(api)
    answer = await api.request("PATCH", f"{WIDGETS}/w1", body={"kind": "Gadget"}, **MERGE)
    why = 'Gadget.example.com "w1" is invalid: kind: Invalid value: "Gadget": must be Widget'
    assert (answer.status, answer.message) == (422, why)


async def test_numbers_without_a_fraction_are_integers(api: Any) -> None:
    await established(api, definition())
    body = orjson.dumps(widget()).replace(b'"spec":{}', b'"spec":{"replicas":3.0}')
    answer = await api.request("POST", WIDGETS, body=body)
    assert b'"replicas":3}' in answer.body


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"color": 1}, "expected string, got &value.valueUnstructured{Value:1}"),
        ({"replicas": "x"}, "expected numeric (int or float), got string"),
    ],
)
async def test_applied_values_are_of_their_schemas_types(api: Any, spec: Any, why: str) -> None:
    await established(api, definition())
    apply = {"Content_Type": "application/apply-patch+yaml"}
    answer = await api.request("PATCH", f"{WIDGETS}/w1?fieldManager=me", body=widget(**spec), **apply)
    assert answer.status == 500
    assert answer.message.endswith(f".spec.{next(iter(spec))}: {why}")


async def test_a_watch_ends_when_its_definition_has_gone(api: Any) -> None:
    await established(api, definition())
    held = await make(api)
    stream = await api.stream(f"{WIDGETS}?watch=1&resourceVersion={held['metadata']['resourceVersion']}")
    await api.request("DELETE", f"{CRDS}/widgets.example.com")
    async with asyncio.timeout(10):
        lines = [orjson.loads(line) async for line in stream.content]
    assert [line["type"] for line in lines] == ["DELETED"]
