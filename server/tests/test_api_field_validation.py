"""Unknown and duplicate fields in every kind of body, as strict and as lenient clients hear of them."""

from typing import Any

import orjson
import pytest

DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
MAPS = "/api/v1/namespaces/default/configmaps"
BODY = b"""{
 "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d", "labels": {"app": "nginx"}},
 "spec": {
  "unknown1": "val1", "unknownDupe": "valDupe", "unknownDupe": "valDupe2", "paused": true, "paused": false,
  "selector": {"matchLabels": {"app": "nginx"}},
  "template": {
   "metadata": {"labels": {"app": "nginx"}},
   "spec": {"containers": [{
    "name": "nginx", "image": "nginx:latest", "unknownNested": "val1", "imagePullPolicy": "Always",
    "imagePullPolicy": "Never"}]}}}}"""
YAML = b"""apiVersion: apps/v1
kind: Deployment
metadata:
  name: d
spec:
  unknown1: val1
  unknownDupe: valDupe
  unknownDupe: valDupe2
  paused: true
  paused: false
  selector: {matchLabels: {app: nginx}}
  template:
    metadata: {labels: {app: nginx}}
    spec:
      containers:
      - name: nginx
        image: nginx:latest
        unknownNested: val1
        imagePullPolicy: Always
        imagePullPolicy: Never
"""
MERGE = b"""{"spec": {
 "unknown1": "val1", "unknownDupe": "valDupe", "unknownDupe": "valDupe2", "paused": true, "paused": false,
 "template": {"spec": {"containers": [{
  "name": "nginx", "image": "nginx:latest", "unknownNested": "val1", "imagePullPolicy": "Always",
  "imagePullPolicy": "Never"}]}}}}"""
OPERATIONS = b"""[
 {"op": "add", "path": "/spec/unknown1", "value": "val1", "foo": "bar"},
 {"op": "add", "path": "/spec/unknown2", "path": "/spec/unknown3", "value": "val1"},
 {"op": "add", "path": "/spec/paused", "value": true},
 {"op": "add", "path": "/spec/paused", "value": false}]"""

NESTED = "spec.template.spec.containers[0]"
IN_ORDER = [
    'unknown field "spec.unknown1"',
    'unknown field "spec.unknownDupe"',
    'duplicate field "spec.paused"',
    f'unknown field "{NESTED}.unknownNested"',
    f'duplicate field "{NESTED}.imagePullPolicy"',
]
SORTED = [
    f'unknown field "{NESTED}.unknownNested"',
    'unknown field "spec.unknown1"',
    'unknown field "spec.unknownDupe"',
]
LINES = [
    'line 8: key "unknownDupe" already set in map',
    'line 10: key "paused" already set in map',
    'line 20: key "imagePullPolicy" already set in map',
]
REPEATED = [
    'duplicate field "spec.unknownDupe"',
    'duplicate field "spec.paused"',
    f'duplicate field "{NESTED}.imagePullPolicy"',
]
OF_OPERATIONS = [
    'json patch unknown field "[0].foo"',
    'json patch duplicate field "[1].path"',
    'unknown field "spec.unknown1"',
    'unknown field "spec.unknown3"',
]
JSON_YAML = [("application/json", BODY, IN_ORDER), ("application/yaml", YAML, [*LINES, *SORTED])]
PATCHES = [
    ("application/merge-patch+json", MERGE, [*REPEATED, *SORTED]),
    ("application/strategic-merge-patch+json", MERGE, [*REPEATED, *SORTED]),
    ("application/json-patch+json", OPERATIONS, OF_OPERATIONS),
]


def _warnings(answer: Any) -> list[str]:
    return [orjson.loads(text.removeprefix("299 - ")) for text in answer.headers.getall("Warning", [])]


@pytest.fixture
async def deployments(api: Any) -> Any:
    await api.post("/api/v1/namespaces", {"metadata": {"name": "default"}})
    return api


@pytest.mark.parametrize(("media", "body", "told"), JSON_YAML)
async def test_a_strict_create_is_refused_with_all_its_faults(
    api: Any, media: Any, body: Any, told: Any
) -> None:
    answer = await api.post(f"{DEPLOYMENTS}?fieldValidation=Strict", body, Content_Type=media)
    if media == "application/yaml":
        told = ["yaml: unmarshal errors:\n  " + "\n  ".join(LINES), *SORTED]
    start = 'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
    assert (answer.status, answer.message) == (400, start + ", ".join(told))


@pytest.mark.parametrize(("media", "body", "told"), JSON_YAML)
async def test_a_lenient_create_is_warned(api: Any, media: Any, body: Any, told: Any) -> None:
    answer = await api.post(f"{DEPLOYMENTS}?fieldValidation=Warn", body, Content_Type=media)
    assert (answer.status, _warnings(answer)) == (201, told)
    again = await api.request("PUT", f"{DEPLOYMENTS}/d", body=body, Content_Type=media)
    assert (again.status, _warnings(again)) == (200, told)


@pytest.mark.parametrize(("media", "body", "told"), JSON_YAML)
async def test_an_indifferent_create_hears_nothing(api: Any, media: Any, body: Any, told: Any) -> None:
    answer = await api.post(f"{DEPLOYMENTS}?fieldValidation=Ignore", body, Content_Type=media)
    assert (answer.status, _warnings(answer)) == (201, [])


@pytest.mark.parametrize(("media", "body", "told"), PATCHES)
async def test_patches_are_read_as_strictly(api: Any, media: Any, body: Any, told: Any) -> None:
    await api.post(f"{DEPLOYMENTS}?fieldValidation=Ignore", BODY)
    path = f"{DEPLOYMENTS}/d?fieldValidation="
    strict = await api.request("PATCH", f"{path}Strict", body=body, Content_Type=media)
    assert strict.status == 422
    assert strict.message.endswith(f": strict decoding error: {', '.join(told)}")
    warned = await api.request("PATCH", f"{path}Warn", body=body, Content_Type=media)
    assert (warned.status, _warnings(warned)) == (200, told)
    ignored = await api.request("PATCH", f"{path}Ignore", body=body, Content_Type=media)
    assert (ignored.status, _warnings(ignored)) == (200, [])


@pytest.mark.parametrize(
    ("media", "body", "message"),
    [
        (
            "application/merge-patch+json",
            b"[]",
            "error decoding patch: json: cannot unmarshal array into Go value of type"
            " map[string]interface {}",
        ),
        (
            "application/strategic-merge-patch+json",
            b'"x"',
            "json: cannot unmarshal string into Go value of type map[string]interface {}",
        ),
        (
            "application/json-patch+json",
            b"{}",
            "error decoding patch: json: cannot unmarshal object into Go value of type"
            " []handlers.jsonPatchOp",
        ),
        (
            "application/json-patch+json",
            b"[1]",
            "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp",
        ),
        ("application/json-patch+json", b"[", "error decoding patch: unexpected end of JSON input"),
    ],
)
async def test_a_patch_of_the_wrong_form_is_a_bad_request(
    api: Any, media: Any, body: Any, message: Any
) -> None:
    answer = await api.request("PATCH", f"{MAPS}/a", body=body, Content_Type=media)
    assert (answer.status, answer.message) == (400, message)


async def test_warnings_beyond_measure_are_cut(api: Any) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    body |= {f"{position:03}{'x' * 400}": "y" for position in range(150)}
    answer = await api.post(MAPS, body)
    told = _warnings(answer)
    assert answer.status == 201
    assert {len(text) for text in told} == {256}
    assert len(told) == 4096 // 256


async def test_a_strange_field_is_told_in_one_line(api: Any) -> None:
    body = b'{"metadata": {"name": "a"}, "x\\ny": 1}'
    answer = await api.post(f"{MAPS}?fieldValidation=Strict", body)
    assert answer.message.endswith('unknown field "x\\ny"')
