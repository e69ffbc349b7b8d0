"""Reading and writing objects over HTTPS."""

import gzip
from typing import Any

import pytest
import yaml

from server.api.reply import PIECE

MAPS = "/api/v1/namespaces/default/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
PARTIAL = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"


def config_map(name: str, **data: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def test_an_object_goes_through_its_life(api: Any) -> None:
    made = await api.make_config_map("a", x="1")
    assert made["metadata"]["uid"]
    assert (await api.get(f"{MAPS}/a")).json == made
    changed = made | {"data": {"x": "2"}}
    updated = await api.request("PUT", f"{MAPS}/a", body=changed)
    assert (updated.status, updated.json["data"]) == (200, {"x": "2"})
    patch = {"data": {"y": "3"}}
    patched = await api.request("PATCH", f"{MAPS}/a", body=patch, Content_Type="application/merge-patch+json")
    assert (patched.status, patched.json["data"]) == (200, {"x": "2", "y": "3"})
    deleted = await api.request("DELETE", f"{MAPS}/a")
    assert (deleted.status, deleted.json["status"]) == (200, "Success")
    assert (await api.get(f"{MAPS}/a")).json["reason"] == "NotFound"


async def test_a_stale_update_is_a_conflict(api: Any) -> None:
    made = await api.make_config_map("a", x="1")
    await api.request("PUT", f"{MAPS}/a", body=made | {"data": {"x": "2"}})
    stale = await api.request("PUT", f"{MAPS}/a", body=made | {"data": {"x": "3"}})
    assert (stale.status, stale.json["reason"]) == (409, "Conflict")


async def test_lists_come_in_pages(api: Any) -> None:
    for name in "abc":
        await api.make_config_map(name)
    first = (await api.get(f"{MAPS}?limit=2")).json
    assert [item["metadata"]["name"] for item in first["items"]] == ["a", "b"]
    assert first["metadata"]["remainingItemCount"] == 1
    rest = (await api.get(f"{MAPS}?limit=2&continue={first['metadata']['continue']}")).json
    assert [item["metadata"]["name"] for item in rest["items"]] == ["c"]
    assert rest["kind"] == "ConfigMapList"
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_a_table_has_columns_and_rows(api: Any) -> None:
    await api.make_config_map("a", x="1")
    table = (await api.get(MAPS, Accept=TABLE)).json
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert table["rows"][0]["cells"][0] == "a"
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


async def test_metadata_alone_can_be_asked_for(api: Any) -> None:
    await api.make_config_map("a", x="1")
    partial = (await api.get(f"{MAPS}/a", Accept=PARTIAL)).json
    assert (partial["kind"], partial["metadata"]["name"]) == ("PartialObjectMetadata", "a")
    assert "data" not in partial
    refused = await api.get(MAPS, Accept=PARTIAL)
    assert refused.status == 406


async def test_yaml_is_spoken_both_ways(api: Any) -> None:
    body = yaml.safe_dump(config_map("a", x="1")).encode()
    made = await api.post(MAPS, body, Content_Type="application/yaml", Accept="application/yaml")
    assert made.status == 201
    assert made.headers["Content-Type"] == "application/yaml"
    assert yaml.safe_load(made.body)["data"] == {"x": "1"}


async def test_people_get_indented_answers(api: Any) -> None:
    await api.make_config_map("a")
    assert b"\n  " in (await api.get(f"{MAPS}/a?pretty=true")).body
    assert b"\n  " in (await api.get(f"{MAPS}/a", User_Agent="curl/8.0")).body
    assert b"\n" not in (await api.get(f"{MAPS}/a")).body


async def test_large_answers_are_compressed_when_that_is_wanted(api: Any) -> None:
    await api.make_config_map("a", x="y" * 200_000)
    async with api.session.get(
        f"{api.url}{MAPS}/a",
        headers={"Authorization": f"Bearer {api.token}", "Accept-Encoding": "gzip"},
        auto_decompress=False,
    ) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert b"yyy" in gzip.decompress(await answer.read())


async def test_unknown_fields_warn_or_are_refused(api: Any) -> None:
    body = config_map("a") | {"surprise": 1}
    warned = await api.post(MAPS, body)
    assert warned.headers.getall("Warning") == ['299 - "unknown field \\"surprise\\""']
    refused = await api.post(f"{MAPS}?fieldValidation=Strict", config_map("b") | {"surprise": 1})
    assert refused.status == 400
    assert 'strict decoding error: unknown field "surprise"' in refused.message


async def test_a_dry_run_keeps_nothing(api: Any) -> None:
    assert (await api.post(f"{MAPS}?dryRun=All", config_map("a"))).status == 201
    assert (await api.get(f"{MAPS}/a")).status == 404


@pytest.mark.parametrize(
    ("query", "body"),
    [("?gracePeriodSeconds=0", None), ("", {"kind": "DeleteOptions", "gracePeriodSeconds": 0})],
)
async def test_delete_options_come_in_the_query_or_in_the_body(api: Any, query: Any, body: Any) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]},
    }
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    await api.post("/api/v1/namespaces/default/serviceaccounts", account)
    made = await api.post("/api/v1/namespaces/default/pods", pod)
    assert made.status == 201, made.body
    await api.request("DELETE", f"/api/v1/namespaces/default/pods/p{query}", body=body)
    assert (await api.get("/api/v1/namespaces/default/pods/p")).status == 404


async def test_a_collection_is_deleted_by_selector(api: Any) -> None:
    for name in "ab":
        body = config_map(name)
        body["metadata"]["labels"] = {"which": name}
        await api.post(MAPS, body)
    deleted = await api.request("DELETE", f"{MAPS}?labelSelector=which%3Da")
    assert [item["metadata"]["name"] for item in deleted.json["items"]] == ["a"]
    assert [item["metadata"]["name"] for item in (await api.get(MAPS)).json["items"]] == ["b"]


async def test_what_the_cluster_needs_is_there(api: Any) -> None:
    service = (await api.get("/api/v1/namespaces/default/services/kubernetes")).json
    assert service["spec"]["clusterIP"] == "10.96.0.1"
    slices = (await api.get("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes")).json
    assert slices["endpoints"][0]["addresses"] == ["192.0.2.1"]
    namespaces = (await api.get("/api/v1/namespaces")).json["items"]
    assert [item["metadata"]["name"] for item in namespaces] == [
        "default",
        "kube-node-lease",
        "kube-public",
        "kube-system",
    ]


async def test_a_list_too_large_for_one_write_comes_whole(api: Any) -> None:
    for number in range(4):
        await api.make_config_map(f"large-{number}", text="x" * 600_000)
    answer = await api.get("/api/v1/namespaces/default/configmaps", Accept_Encoding="identity")
    assert int(answer.headers["Content-Length"]) == len(answer.body) > PIECE
    assert [item["metadata"]["name"] for item in answer.json["items"]] == [f"large-{n}" for n in range(4)]
    packed = await api.get("/api/v1/namespaces/default/configmaps", Accept_Encoding="gzip")
    assert packed.json == answer.json
