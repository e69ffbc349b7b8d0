"""Stored custom resources as their kinds see them: what is kept, and what a slow webhook may not lose."""

import asyncio
from typing import Any

import orjson

from server.registry.custom.conversion import WebhookConverter
from server.registry.custom.form import CustomForm
from server.schema.custom import compiled
from server.storage import Record

SCHEMA = {
    "type": "object",
    "properties": {"spec": {"type": "object", "properties": {"size": {"default": 1}}}},
}


def stored(name: str, **spec: Any) -> Record:
    obj = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}
    return Record("widgets.example.com", "", name, "", 1, 1, orjson.dumps(obj))


def form(seen: str = "v1", post: Any = None) -> CustomForm:
    webhook = {"clientConfig": {"url": "https://example.com"}, "conversionReviewVersions": ["v1"]}
    return CustomForm(
        group="example.com",
        seen=seen,
        stored="v1",
        schemas={f"example.com/{version}": compiled(SCHEMA) for version in ("v1", "v2")},
        converter=WebhookConverter(webhook, post) if post else None,
    )


async def test_what_lacks_nothing_is_seen_as_it_is_stored() -> None:
    records = (stored("a", size=2), stored("b", size=3))
    found = await form().seen_all(records)
    assert all(one is other for one, other in zip(found, records, strict=True))


async def test_a_list_is_looked_at_once() -> None:
    custom, records = form(), (stored("a"), stored("b", size=3))
    found = await custom.seen_all(records)
    assert [record.obj["spec"]["size"] for record in found] == [1, 3]
    assert await custom.seen_all(records) is found


async def test_what_is_replaced_while_a_list_is_converted_stays_in_the_list() -> None:
    records = (stored("a"), stored("b"))

    async def post(config: Any, review: Any, *, seconds: int) -> Any:
        await asyncio.sleep(0)
        records[0].forget()
        objects = [{**each, "apiVersion": "example.com/v2"} for each in review["request"]["objects"]]
        response = {"uid": review["request"]["uid"], "result": {"status": "Success"}}
        answer = {"kind": "ConversionReview", "apiVersion": "apiextensions.k8s.io/v1"}
        return {**answer, "response": {**response, "convertedObjects": objects}}

    found = await form("v2", post).seen_all(records)
    assert [record.obj["metadata"]["name"] for record in found] == ["a", "b"]
    assert {record.obj["apiVersion"] for record in found} == {"example.com/v2"}
