"""Whatever comes over the network: every parser answers with its own error or a value, never with another."""

import base64
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubeling.objects import meta, quantity
from kubeling.objects.errors import ApiError, BadRequest, NotAcceptable
from kubeling.objects.fields import FieldSelectorError, parse_field_selector
from kubeling.objects.labels import SelectorError, parse_selector
from server.api import bodies, negotiation, protobuf
from server.api.negotiation import JSON, YAML
from server.api.requestinfo import parse, parse_query
from server.registry import continuation
from server.registry.listing import revision_of
from server.schema.decode import decode
from server.schema.errors import DecodeError, SchemaError
from server.schema.json_patch import json_patch
from server.schema.merge_patch import merge_patch
from server.schema.strategic import strategic_merge
from server.schema.types import struct_of

MANY = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
SOME = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
MAPS = "/api/v1/namespaces/default/configmaps"


def _token(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


texts = st.text(max_size=40)
selectors = st.lists(
    st.sampled_from(["a", "b.c/d", *"=!,()<> 5\\", "==", "!=", "in", "notin"]) | texts, max_size=12
).map("".join)
numbers = st.integers(-(2**65), 2**65) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
names = st.sampled_from(
    (
        *("metadata", "spec", "containers", "name", "ports", "containerPort", "env", "labels", "finalizers"),
        *("$patch", "$retainKeys", "$setElementOrder/containers", "$deleteFromPrimitiveList/finalizers"),
    )
)
pods: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from([None, "a", 1, True, "delete", "replace", "merge", [], {}]) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=25,
).filter(lambda value: isinstance(value, dict))
contents = st.dictionaries(
    st.sampled_from(["v", "rv", "start", "x"]),
    st.sampled_from(["meta.k8s.io/v1", "", 0, -1, 5, "a\x00b", "a/b\x00c", None, [], 1.5, "a", True]),
).map(lambda content: _token(orjson.dumps(content)))
pointers = st.lists(
    st.sampled_from(["spec", "containers", "0", "-", "name", "~0", "~2", ""]), max_size=4
).map(lambda parts: "".join(f"/{part}" for part in parts))
operations = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "x", None]),
            "path": pointers | values,
            "from": pointers | values,
            "value": values,
        },
    )
    | values,
    max_size=6,
)
POD = {
    "metadata": {"name": "p", "finalizers": ["a/b"]},
    "spec": {"containers": [{"name": "c", "args": ["x"], "ports": [{"containerPort": 1}]}]},
}


@MANY
@given(selectors)
def test_label_selectors(text: str) -> None:
    with suppress(SelectorError):
        parse_selector(text).matches({"a": "b"})


@MANY
@given(selectors)
def test_field_selectors(text: str) -> None:
    with suppress(FieldSelectorError):
        parse_field_selector(text).matches(lambda path: path)


@MANY
@given(st.from_regex(r"[+-]?[0-9.]{0,30}([eE][+-]?[0-9]{0,6}|[a-zA-Z]{0,3})", fullmatch=True) | texts)
def test_quantities(text: str) -> None:
    with suppress(quantity.QuantityError):
        assert quantity.canonical(quantity.canonical(text)) == quantity.canonical(text)


@MANY
@given(texts | st.binary(max_size=200).map(_token) | contents)
def test_continue_tokens(text: str) -> None:
    with suppress(BadRequest):
        continuation.decode(text)


@MANY
@given(st.sampled_from(["GET", "POST", "DELETE", "OPTIONS"]), texts, texts)
def test_paths_and_queries(method: str, path: str, query: str) -> None:
    for prefix in ("/", "/api/v1/", "/apis/apps/v1/namespaces/", "/api/v1/watch/"):
        parse(method, prefix + quote(path, safe="/%"), parse_query(query))


@MANY
@given(st.text(alphabet="application/jsonyml*;=, qv.0129asgTbe\t", max_size=60) | texts)
def test_accept_headers(text: str) -> None:
    for read in (negotiation.resource_representation, negotiation.plain_media):
        with suppress(NotAcceptable):
            read(text)
    assert negotiation.error_media(text) in (JSON, YAML)


@MANY
@given(texts | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{0,15}[Zz+-]?[0-9:]{0,6}", fullmatch=True))
def test_timestamps(text: str) -> None:
    with suppress(ValueError):
        meta.parse_timestamp(text)
    struct = struct_of("coordination.k8s.io", "v1", "Lease")
    assert struct is not None
    with suppress(DecodeError):
        decode(struct, {"metadata": {"creationTimestamp": text}, "spec": {"renewTime": text}})


@pytest.mark.parametrize("media", [JSON, YAML])
@MANY
@given(body=st.binary(max_size=80) | texts.map(str.encode))
def test_bodies(media: str, body: bytes) -> None:
    with suppress(BadRequest):
        obj = bodies.decode_object(body, media)
        if media == JSON:
            bodies.misread_json(body, obj)
        else:
            bodies.misread_yaml(body, obj)


@MANY
@given(st.binary(max_size=80))
def test_bodies_in_protobuf(tail: bytes) -> None:
    mark = b"\x0a\x09\x0a\x02v1\x12\x03Pod"
    for body in (protobuf.MAGIC + tail, protobuf.MAGIC + mark + tail, _pod_of(tail)):
        with suppress(ApiError):
            protobuf.decode_object(body)


def _pod_of(content: bytes) -> bytes:
    return protobuf.MAGIC + b"\x0a\x09\x0a\x02v1\x12\x03Pod" + bytes([0x12, len(content)]) + content


@MANY
@given(texts | numbers.map(str))
def test_revisions(text: str) -> None:
    with suppress(BadRequest):
        assert revision_of(text) >= 0


@SOME
@given(pods, operations)
def test_patches(patch: dict[str, Any], changes: list[Any]) -> None:
    struct = struct_of("", "v1", "Pod")
    assert struct is not None
    given_operations = [each for each in changes if isinstance(each, dict)]
    for apply in (
        partial(merge_patch, POD, patch),
        partial(strategic_merge, struct, POD, patch),
        partial(json_patch, POD, given_operations),
    ):
        with suppress(SchemaError):
            patched = apply()
            if isinstance(patched, dict):
                decode(struct, patched)


async def test_impersonation_headers(api: Any) -> None:
    odd = ("", "a", "system:masters", "x" * 5000, "%zz", "é", "system:serviceaccount::")
    for user in odd:
        for headers in (
            {"Impersonate_User": user},
            {"Impersonate_Group": user},
            {"Impersonate_Uid": user},
            {"Impersonate_User": "bob", "Impersonate_Extra_%zz": user},
            {"Impersonate_User": user, "Impersonate_Group": user, "Impersonate_Extra_": user},
        ):
            answer = await api.get("/api/v1/namespaces", **headers)
            assert answer.status < 500, (headers, answer.body)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_whole_requests(api: Any, method: str) -> None:
    odd = ("%00", "-1", "true", "a%3Db", "99999999999999999999", "%5C", "((", "All", "e30")
    names = (
        *("limit", "continue", "resourceVersion", "labelSelector", "fieldSelector", "dryRun", "fieldManager"),
        *("fieldValidation", "gracePeriodSeconds", "propagationPolicy", "orphanDependents", "timeoutSeconds"),
        *("pretty", "resourceVersionMatch", "includeObject", "force"),
    )
    body = None if method in ("GET", "DELETE") else {"metadata": {"name": "a"}}
    media = {"Content_Type": "application/merge-patch+json"} if method == "PATCH" else {}
    for query in (f"{name}={value}" for name in names for value in odd):
        for path in (MAPS, f"{MAPS}/a"):
            answer = await api.request(method, f"{path}?{query}", body=body, **media)
            assert answer.status < 500, (path, query, answer.body)
