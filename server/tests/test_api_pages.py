"""Discovery, OpenAPI, version and metrics."""

from typing import Any

import pytest

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList"


async def test_the_version_is_one_that_clients_parse(api: Any) -> None:
    version = (await api.get("/version", token="")).json
    assert (version["major"], version["minor"]) == ("1", "37")
    assert version["gitVersion"].startswith("v1.37.0+kubeling.")


async def test_legacy_discovery(api: Any) -> None:
    assert (await api.get("/api")).json["versions"] == ["v1"]
    groups = (await api.get("/apis")).json["groups"]
    assert "apps" in [group["name"] for group in groups]
    assert (await api.get("/apis/apps")).json["preferredVersion"]["groupVersion"] == "apps/v1"
    resources = (await api.get("/api/v1")).json["resources"]
    pods = next(resource for resource in resources if resource["name"] == "pods")
    assert pods["shortNames"] == ["po"]
    assert "pods/log" in [resource["name"] for resource in resources]


@pytest.mark.parametrize("version", ["v2", "v2beta1"])
async def test_aggregated_discovery(api: Any, version: Any) -> None:
    accept = AGGREGATED.format(version) + ",application/json"
    core, groups = await api.get("/api", Accept=accept), await api.get("/apis", Accept=accept)
    assert core.headers["Content-Type"] == AGGREGATED.format(version)
    assert core.json["apiVersion"] == f"apidiscovery.k8s.io/{version}"
    resources = {each["resource"]: each for each in core.json["items"][0]["versions"][0]["resources"]}
    assert resources["pods"]["responseKind"] == {"group": "", "version": "", "kind": "Pod"}
    assert groups.json["items"][0]["metadata"]["name"] != ""


async def test_a_known_document_is_not_sent_again(api: Any) -> None:
    accept = AGGREGATED.format("v2")
    etag = (await api.get("/apis", Accept=accept)).headers["ETag"]
    again = await api.get("/apis", Accept=accept, If_None_Match=etag)
    assert (again.status, again.body) == (304, b"")


async def test_openapi_v3_has_what_clients_look_for(api: Any) -> None:
    index = (await api.get("/openapi/v3")).json["paths"]
    document = (await api.get(index["apis/apps/v1"]["serverRelativeURL"])).json
    item = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]
    assert item["patch"]["x-kubernetes-group-version-kind"] == {
        "group": "apps",
        "version": "v1",
        "kind": "Deployment",
    }
    assert "fieldValidation" in [parameter["name"] for parameter in item["patch"]["parameters"]]
    schemas = document["components"]["schemas"]
    assert schemas["io.k8s.api.core.v1.Container"]["properties"]["image"]["type"] == "string"
    ports = schemas["io.k8s.api.core.v1.Container"]["properties"]["ports"]
    assert ports["x-kubernetes-patch-merge-key"] == "containerPort"
    assert all("$defs" not in str(schema) for schema in schemas.values())


async def test_operations_have_ids_of_their_own_and_parameters_that_are_described(api: Any) -> None:
    paths = (await api.get("/openapi/v2")).json["paths"]
    operations = [op for item in paths.values() for op in item.values() if isinstance(op, dict)]
    ids = [operation["operationId"] for operation in operations if "operationId" in operation]
    assert len(ids) == len(set(ids)), sorted(each for each in set(ids) if ids.count(each) > 1)
    assert {
        "readCoreV1NamespacedPod",
        "replaceAppsV1NamespacedDeploymentStatus",
        "deleteRbacAuthorizationV1CollectionClusterRole",
        "listCoreV1PodForAllNamespaces",
    } <= set(ids)
    listing = paths["/apis/rbac.authorization.k8s.io/v1/roles"]["get"]
    assert listing["tags"] == ["rbacAuthorization_v1"]
    assert all(parameter["description"] for parameter in listing["parameters"])
    emptied = paths["/api/v1/namespaces/{namespace}/configmaps"]["delete"]["responses"]["200"]["schema"]
    assert emptied["$ref"].endswith(".meta.v1.Status")


async def test_openapi_v2_comes_as_json_and_as_protobuf(api: Any) -> None:
    document = (await api.get("/openapi/v2")).json
    assert (
        document["definitions"]["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]["format"]
        == "int-or-string"
    )
    accept = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    encoded = await api.get("/openapi/v2", Accept=accept)
    assert encoded.headers["Content-Type"] == "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    assert b"io.k8s.api.core.v1.Pod" in encoded.body


async def test_requests_are_counted(api: Any) -> None:
    await api.get("/api/v1/namespaces/default")
    page = (await api.get("/metrics")).body.decode()
    labels = (
        'code="200",group="",resource="namespaces",scope="resource",subresource="",verb="GET",version="v1"'
    )
    assert f"apiserver_request_total{{{labels}}} 1.0" in page
    assert "apiserver_request_duration_seconds_bucket" in page
    assert "process_resident_memory_bytes" in page


async def test_readiness_is_reported_by_check(api: Any) -> None:
    page = (await api.get("/readyz?verbose", token="")).body.decode()
    for check in ("ping", "etcd", "poststarthook/bootstrap-controller", "poststarthook/rbac/bootstrap-roles"):
        assert f"[+]{check} ok\n" in page
    assert page.endswith("readyz check passed\n")


async def test_a_failing_database_is_told(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.storage.store.Store.failing", True)
    page = await api.get("/readyz?verbose", token="")
    assert (page.status, b"[-]etcd failed: reason withheld" in page.body) == (500, True)


async def test_discovery_is_also_to_be_had_as_yaml(api: Any) -> None:
    answer = await api.get("/apis/apps/v1", Accept="application/yaml")
    assert answer.headers["Content-Type"] == "application/yaml"
    assert answer.body.startswith(b"apiVersion: v1\ngroupVersion: apps/v1\nkind: APIResourceList\n")
