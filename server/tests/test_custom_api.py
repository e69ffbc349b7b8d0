"""Custom resources over HTTPS, from the definition to the last instance."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import orjson
import pytest

from kubeling.cluster.keys import Pki
from kubeling.objects.clock import SystemClock
from server.config import Config
from server.main import start
from server.tests.conftest import ApiServer

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
MERGE = {"Content_Type": "application/merge-patch+json"}


def schema() -> dict[str, Any]:
    spec = {
        "type": "object",
        "properties": {
            "replicas": {"type": "integer", "minimum": 0, "default": 1},
            "color": {"type": "string"},
            "when": {"type": "string"},
        },
    }
    status = {
        "type": "object",
        "properties": {"replicas": {"type": "integer"}, "selector": {"type": "string"}},
    }
    return {"type": "object", "properties": {"spec": spec, "status": status}}


def version(name: str = "v1", **more: Any) -> dict[str, Any]:
    return {"name": name, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema()}, **more}


def definition(*versions: dict[str, Any], **spec: Any) -> dict[str, Any]:
    names = {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"], "categories": ["all"]}
    wanted: dict[str, Any] = {"group": "example.com", "scope": "Namespaced", "names": names, **spec}
    wanted["versions"] = list(versions) or [version()]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{wanted['names']['plural']}.{wanted['group']}"},
        "spec": wanted,
    }


def widget(name: str = "w1", *, version: str = "v1", **spec: Any) -> dict[str, Any]:
    own = {"name": name}
    return {"apiVersion": f"example.com/{version}", "kind": "Widget", "metadata": own, "spec": spec}


async def until(holds: Any) -> Any:
    """What `holds` gives, once it is true."""
    async with asyncio.timeout(10):
        while not (found := await holds()):  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    return found


def conditions(found: dict[str, Any]) -> dict[str, Any]:
    return {each["type"]: each for each in found["status"].get("conditions") or ()}


async def read(api: Any, name: str = "widgets.example.com") -> Any:
    return (await api.get(f"{CRDS}/{name}")).json


async def established(api: Any, wanted: dict[str, Any]) -> Any:
    answer = await api.post(CRDS, wanted)
    assert answer.status == 201, answer.body

    async def holds() -> Any:
        found = await read(api, wanted["metadata"]["name"])
        return found if conditions(found).get("Established", {}).get("status") == "True" else None

    return await until(holds)


async def gone(api: Any, path: str) -> None:
    async def holds() -> bool:
        return bool((await api.get(path)).status == 404)

    await until(holds)


async def make(api: Any, *args: Any, **spec: Any) -> Any:
    answer = await api.post(WIDGETS, widget(*args, **spec))
    assert answer.status == 201, answer.body
    return answer.json


async def test_a_definition_is_defaulted_accepted_and_established(api: Any) -> None:
    found = await established(api, definition())
    assert found["spec"]["conversion"] == {"strategy": "None"}
    names = {"plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList"}
    assert found["status"]["acceptedNames"] == names | {"shortNames": ["wd"], "categories": ["all"]}
    assert found["status"]["storedVersions"] == ["v1"]
    assert [(each["type"], each["reason"]) for each in found["status"]["conditions"]] == [
        ("NamesAccepted", "NoConflicts"),
        ("Established", "InitialNamesAccepted"),
    ]


async def test_an_instance_is_created_read_changed_and_deleted(api: Any) -> None:
    await established(api, definition())
    created = await make(api, color="red")
    assert created["spec"] == {"color": "red", "replicas": 1}
    assert created["metadata"]["generation"] == 1
    created["spec"]["color"] = "blue"
    changed = await api.request("PUT", f"{WIDGETS}/w1", body=created)
    assert changed.json["metadata"]["generation"] == 2
    listed = (await api.get("/apis/example.com/v1/widgets")).json
    assert (listed["kind"], [each["spec"]["color"] for each in listed["items"]]) == ("WidgetList", ["blue"])
    deleted = await api.request("DELETE", f"{WIDGETS}/w1")
    assert deleted.json["details"] == {
        "name": "w1",
        "group": "example.com",
        "kind": "widgets",
        "uid": created["metadata"]["uid"],
    }
    assert (await api.get(f"{WIDGETS}/w1")).status == 404


async def test_a_replacement_must_name_its_resource_version(api: Any) -> None:
    await established(api, definition())
    await make(api)
    answer = await api.request("PUT", f"{WIDGETS}/w1", body=widget())
    assert answer.status == 422
    why = "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    assert answer.message == f'widgets.example.com "w1" is invalid: {why}'


async def test_what_the_schema_forbids_is_refused_with_its_path(api: Any) -> None:
    await established(api, definition())
    answer = await api.post(WIDGETS, widget(replicas=-1))
    assert answer.status == 422
    assert answer.message.startswith('Widget.example.com "w1" is invalid: spec.replicas: Invalid value: -1:')


@pytest.mark.parametrize(("mode", "status"), [("Strict", 400), ("Warn", 201), ("Ignore", 201)])
async def test_unknown_fields_are_pruned_told_or_refused(api: Any, mode: str, status: int) -> None:
    await established(api, definition())
    answer = await api.post(f"{WIDGETS}?fieldValidation={mode}", widget(extra=1))
    assert answer.status == status
    if status == 201:
        assert answer.json["spec"] == {"replicas": 1}
        assert ("Warning" in answer.headers) == (mode == "Warn")
    else:
        assert 'strict decoding error: unknown field "spec.extra"' in answer.message


async def test_without_a_status_subresource_the_status_is_a_field_like_others(api: Any) -> None:
    await established(api, definition())
    answer = await api.post(WIDGETS, widget() | {"status": {"replicas": 3}})
    assert answer.json["status"] == {"replicas": 3}
    answer = await api.request("PATCH", f"{WIDGETS}/w1", body={"status": {"replicas": 4}}, **MERGE)
    assert (answer.json["status"], answer.json["metadata"]["generation"]) == ({"replicas": 4}, 2)
    assert (await api.get(f"{WIDGETS}/w1/status")).status == 404


async def test_the_status_subresource_parts_spec_and_status(api: Any) -> None:
    await established(api, definition(version(subresources={"status": {}})))
    created = await api.post(WIDGETS, widget(color="red") | {"status": {"replicas": 3}})
    assert "status" not in created.json
    body = {"status": {"replicas": 4}, "spec": {"color": "blue"}, "metadata": {"labels": {"a": "b"}}}
    patched = await api.request("PATCH", f"{WIDGETS}/w1/status", body=body, **MERGE)
    assert patched.json["status"] == {"replicas": 4}
    assert patched.json["spec"]["color"] == "red"
    assert "labels" not in patched.json["metadata"]
    assert patched.json["metadata"]["generation"] == 1
    patched = await api.request("PATCH", f"{WIDGETS}/w1", body={"status": {"replicas": 9}}, **MERGE)
    assert patched.json["status"] == {"replicas": 4}


async def test_the_scale_subresource_follows_its_paths(api: Any) -> None:
    scale = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.selector",
    }
    await established(api, definition(version(subresources={"status": {}, "scale": scale})))
    await make(api, replicas=2)
    status = {"status": {"replicas": 1, "selector": "app=w"}}
    await api.request("PATCH", f"{WIDGETS}/w1/status", body=status, **MERGE)
    found = (await api.get(f"{WIDGETS}/w1/scale")).json
    assert (found["kind"], found["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert (found["spec"], found["status"]) == ({"replicas": 2}, {"replicas": 1, "selector": "app=w"})
    await api.request("PATCH", f"{WIDGETS}/w1/scale", body={"spec": {"replicas": 5}}, **MERGE)
    assert (await api.get(f"{WIDGETS}/w1")).json["spec"]["replicas"] == 5


async def test_an_object_without_replicas_has_no_scale(api: Any) -> None:
    scale = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.replicas"}
    wanted = definition(version(subresources={"scale": scale}))
    properties = wanted["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    properties["spec"]["properties"]["size"] = {"type": "integer"}
    await established(api, wanted)
    await make(api)
    answer = await api.get(f"{WIDGETS}/w1/scale")
    assert answer.status == 500
    assert 'the spec replicas field ".spec.size" does not exist' in answer.message


async def test_a_table_shows_the_printer_columns(api: Any) -> None:
    columns = [
        {"name": "Color", "type": "string", "jsonPath": ".spec.color", "description": "Which colour"},
        {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas", "priority": 1},
        {"name": "When", "type": "date", "jsonPath": ".spec.when"},
    ]
    await established(api, definition(version(additionalPrinterColumns=columns)))
    await make(api, color="red", when="no date")
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    table = (await api.get(WIDGETS, Accept=accept)).json
    assert [each["name"] for each in table["columnDefinitions"]] == ["Name", "Color", "Replicas", "When"]
    assert [each["priority"] for each in table["columnDefinitions"]] == [0, 0, 1, 0]
    assert table["columnDefinitions"][1]["description"] == "Which colour"
    assert table["rows"][0]["cells"] == ["w1", "red", 1, "<invalid>"]


async def test_without_columns_a_table_shows_the_age(api: Any) -> None:
    await established(api, definition())
    await make(api)
    accept = "application/json;as=Table;v=v1;g=meta.k8s.io"
    table = (await api.get(WIDGETS, Accept=accept)).json
    assert [each["name"] for each in table["columnDefinitions"]] == ["Name", "Age"]
    assert table["columnDefinitions"][1]["type"] == "date"


async def test_selectable_fields_select_and_others_are_refused(api: Any) -> None:
    await established(api, definition(version(selectableFields=[{"jsonPath": ".spec.color"}])))
    await make(api, "red", color="red")
    await make(api, "blue", color="blue")
    found = (await api.get(f"{WIDGETS}?fieldSelector=spec.color%3Dred")).json["items"]
    assert [each["metadata"]["name"] for each in found] == ["red"]
    refused = await api.get(f"{WIDGETS}?fieldSelector=spec.replicas%3D1")
    assert (refused.status, refused.message) == (400, "field label not supported: spec.replicas")


async def test_a_strategic_merge_patch_is_not_for_custom_resources(api: Any) -> None:
    await established(api, definition())
    await make(api)
    headers = {"Content_Type": "application/strategic-merge-patch+json"}
    answer = await api.request("PATCH", f"{WIDGETS}/w1", body={"spec": {"color": "x"}}, **headers)
    assert (answer.status, answer.json["reason"]) == (415, "UnsupportedMediaType")
    assert "application/json-patch+json, application/merge-patch+json" in answer.message
    assert "strategic" not in answer.message


async def test_discovery_follows_at_once(api: Any) -> None:
    await established(api, definition(version(subresources={"status": {}})))
    resources = (await api.get("/apis/example.com/v1")).json["resources"]
    assert [each["name"] for each in resources] == ["widgets", "widgets/status"]
    assert resources[0]["shortNames"] == ["wd"]
    assert resources[0]["verbs"][0] == "delete"
    accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    before = await api.get("/apis", Accept=accept)
    assert "example.com" in {each["metadata"]["name"] for each in before.json["items"]}
    await api.request("DELETE", f"{CRDS}/widgets.example.com")
    await gone(api, f"{CRDS}/widgets.example.com")
    await gone(api, "/apis/example.com")
    after = await api.get("/apis", Accept=accept)
    assert after.headers["ETag"] != before.headers["ETag"]
    assert "example.com" not in {each["metadata"]["name"] for each in after.json["items"]}


async def test_openapi_tells_of_the_schema(api: Any) -> None:
    await established(api, definition())
    index = (await api.get("/openapi/v3")).json["paths"]["apis/example.com/v1"]["serverRelativeURL"]
    document = (await api.get(index)).json
    found = document["components"]["schemas"]["com.example.v1.Widget"]
    mark = {"group": "example.com", "kind": "Widget", "version": "v1"}
    assert found["x-kubernetes-group-version-kind"] == [mark]
    assert found["properties"]["spec"]["properties"]["replicas"]["minimum"] == 0
    assert "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" in document["components"]["schemas"]
    assert "/apis/example.com/v1/namespaces/{namespace}/widgets/{name}" in document["paths"]
    stored = await read(api)
    properties = stored["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    properties["spec"]["properties"]["size"] = {"type": "integer"}
    assert (await api.request("PUT", f"{CRDS}/widgets.example.com", body=stored)).status == 200

    async def changed() -> bool:
        now = (await api.get("/openapi/v3")).json["paths"]["apis/example.com/v1"]["serverRelativeURL"]
        return bool(now != index)

    await until(changed)
    swagger = (await api.get("/openapi/v2")).json["definitions"]["com.example.v1.Widget"]
    assert "size" in swagger["properties"]["spec"]["properties"]
    assert "default" not in swagger["properties"]["spec"]["properties"]["replicas"]


async def test_two_versions_are_served_and_stored_as_one(api: Any) -> None:
    old = version("v1beta1", storage=False, deprecated=True)
    await established(api, definition(version(), old))
    await make(api, color="red")
    found = await api.get("/apis/example.com/v1beta1/namespaces/default/widgets/w1")
    assert found.json["apiVersion"] == "example.com/v1beta1"
    text = '299 - "example.com/v1beta1 Widget is deprecated; use example.com/v1 Widget"'
    assert found.headers["Warning"] == text
    body = widget("w2", version="v1beta1", color="blue")
    created = await api.post("/apis/example.com/v1beta1/namespaces/default/widgets", body)
    assert created.json["apiVersion"] == "example.com/v1beta1"
    listed = (await api.get(WIDGETS)).json["items"]
    assert {each["apiVersion"] for each in listed} == {"example.com/v1"}
    group = (await api.get("/apis/example.com")).json
    assert [each["version"] for each in group["versions"]] == ["v1", "v1beta1"]


async def test_a_change_of_the_schema_ends_watches_and_takes_effect(api: Any) -> None:
    await established(api, definition())
    await make(api, color="red")
    watch = await api.stream(f"{WIDGETS}?watch=true")
    assert orjson.loads(await watch.content.readline())["type"] == "ADDED"
    stored = await read(api)
    properties = stored["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    del properties["spec"]["properties"]["color"]
    properties["spec"]["properties"]["size"] = {"type": "integer", "default": 7}
    await api.request("PUT", f"{CRDS}/widgets.example.com", body=stored)
    async with asyncio.timeout(5):
        assert await watch.content.read() == b""

    async def holds() -> bool:
        found = (await api.get(f"{WIDGETS}/w1")).json
        return bool(found["spec"] == {"replicas": 1, "size": 7})

    await until(holds)


async def test_deleting_the_definition_deletes_the_instances_and_respects_finalizers(api: Any) -> None:
    await established(api, definition())
    await make(api, "plain")
    held = widget("held")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    assert (await api.post(WIDGETS, held)).status == 201
    await api.request("DELETE", f"{CRDS}/widgets.example.com")
    await gone(api, f"{WIDGETS}/plain")
    terminating = conditions(await read(api))["Terminating"]
    assert (terminating["status"], terminating["reason"]) == ("True", "InstanceDeletionInProgress")
    refused = await api.post(WIDGETS, widget("late"))
    assert refused.status == 405
    assert refused.message == "create not allowed while custom resource definition is terminating"
    verbs = (await api.get("/apis/example.com/v1")).json["resources"][0]["verbs"]
    assert verbs == ["delete", "deletecollection", "get", "list", "watch"]
    release = {"metadata": {"finalizers": None}}
    assert (await api.request("PATCH", f"{WIDGETS}/held", body=release, **MERGE)).status == 200
    await gone(api, f"{CRDS}/widgets.example.com")
    assert (await api.get(WIDGETS)).status == 404


async def test_a_taken_name_keeps_a_definition_from_being_served_until_it_is_free(api: Any) -> None:
    await established(api, definition())
    names = {"plural": "gadgets", "kind": "Gadget", "shortNames": ["wd"]}
    answer = await api.post(CRDS, definition(names=names))
    assert answer.status == 201

    async def judged() -> Any:
        return conditions(await read(api, "gadgets.example.com"))

    found = await until(judged)
    assert (found["NamesAccepted"]["status"], found["NamesAccepted"]["reason"]) == (
        "False",
        "ShortNamesConflict",
    )
    assert found["NamesAccepted"]["message"] == '"wd" is already in use'
    assert found["Established"]["reason"] == "NotAccepted"
    assert (await api.get("/apis/example.com/v1/gadgets")).status == 404
    await api.request("DELETE", f"{CRDS}/widgets.example.com")

    async def served() -> bool:
        return bool((await api.get("/apis/example.com/v1/gadgets")).status == 200)

    await until(served)


async def test_a_dry_run_stores_nothing(api: Any) -> None:
    await established(api, definition())
    answer = await api.post(f"{WIDGETS}?dryRun=All", widget())
    assert (answer.status, answer.json["spec"]) == (201, {"replicas": 1})
    assert (await api.get(f"{WIDGETS}/w1")).status == 404


async def test_metadata_alone_can_be_asked_for(api: Any) -> None:
    await established(api, definition())
    await make(api)
    accept = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
    found = (await api.get(WIDGETS, Accept=accept)).json
    assert [each["metadata"]["name"] for each in found["items"]] == ["w1"]


async def test_a_cluster_scoped_kind_lives_outside_namespaces(api: Any) -> None:
    await established(api, definition(scope="Cluster"))
    answer = await api.post("/apis/example.com/v1/widgets", widget())
    assert (answer.status, "namespace" in answer.json["metadata"]) == (201, False)
    deleted = await api.request("DELETE", "/apis/example.com/v1/widgets")
    assert [each["metadata"]["name"] for each in deleted.json["items"]] == ["w1"]


async def test_each_version_has_an_api_service_while_it_is_served(api: Any) -> None:
    path = "/apis/apiregistration.k8s.io/v1/apiservices/v1.example.com"
    await established(api, definition())

    async def registered() -> Any:
        found = await api.get(path)
        return found.json if found.status == 200 else None

    found = await until(registered)
    assert (found["spec"]["groupPriorityMinimum"], found["spec"]["versionPriority"]) == (1000, 100)
    await api.request("DELETE", f"{CRDS}/widgets.example.com")
    await gone(api, path)


async def test_an_established_kind_is_served_by_the_next_start_at_once(
    api: Any, config: Config, keys: Pki
) -> None:
    await established(api, definition())
    await make(api, color="red")
    await api.stop()
    async with AsyncExitStack() as parts:
        port = await start(config, parts, clock=SystemClock(), loops=False)
        again = ApiServer(api.session, url=f"https://127.0.0.1:{port}", keys=keys)
        found = await again.get(f"{WIDGETS}/w1")
        assert (found.status, found.json["spec"]["color"]) == (200, "red")


async def test_a_finalizer_without_a_domain_is_warned_of(api: Any) -> None:
    await established(api, definition())
    body = widget()
    body["metadata"]["finalizers"] = ["cleanup"]
    answer = await api.post(WIDGETS, body)
    assert answer.status == 201
    assert 'metadata.finalizers: \\"cleanup\\": prefer a domain-qualified' in answer.headers["Warning"]


async def test_an_object_without_a_kind_is_refused(api: Any) -> None:
    await established(api, definition())
    answer = await api.post(WIDGETS, {"metadata": {"name": "a"}})
    assert answer.status == 400
    start = "the object provided is unrecognized (must be of type Widget): Object 'Kind' is missing in"
    assert answer.message.startswith(start)


ODD: list[Any] = [5, 1.5, "x", True, None, [], [1], [None], [[]], {}, {"a": 1}, {"a": None}]


@pytest.mark.parametrize("field", ["spec", "status", "metadata"])
async def test_values_of_odd_types_are_never_a_failure_of_the_server(api: Any, field: str) -> None:
    await established(api, definition())
    await make(api, "base")
    for value in ODD:
        created = await api.post(f"{WIDGETS}?dryRun=All", widget() | {field: value})
        stored = (await api.get(f"{WIDGETS}/base")).json | {field: value}
        changed = await api.request("PUT", f"{WIDGETS}/base?dryRun=All", body=stored)
        body = {field: value}
        patched = await api.request("PATCH", f"{WIDGETS}/base?dryRun=All", body=body, **MERGE)
        for answer in (created, changed, patched):
            assert answer.status < 500, (value, answer.body)
