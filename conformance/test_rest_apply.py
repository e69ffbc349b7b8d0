"""managedFields and server-side apply over plain HTTPS."""

from collections.abc import Iterator
from typing import Any

import pytest

from conformance import pods
from conformance.rest import JSON_PATCH, MERGE, STRATEGIC
from conformance.space import Space
from conformance.waiting import eventually

APPLY = "application/apply-patch+yaml"
APPS = "apis/apps/v1"
Object = dict[str, Any]


def config_map(**data: str) -> Object:
    return pods.config_map("a", data)


def applied(space: Space, obj: Object, manager: str = "applier", **query: Any) -> Any:
    path = space.path("configmaps", obj["metadata"]["name"])
    return space.rest.patch(path, obj, content_type=APPLY, fieldManager=manager, **query)


def owners(obj: Object) -> dict[tuple[str, str], Any]:
    entries = obj["metadata"].get("managedFields") or []
    return {(entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in entries}


def test_creation_and_updates_are_noted_by_manager(space: Space) -> None:
    made = space.rest.post(space.path("configmaps"), config_map(a="1"), fieldManager="maker")
    assert owners(made) == {("maker", "Update"): {"f:data": {".": {}, "f:a": {}}}}
    changed = space.rest.patch(
        space.path("configmaps", "a"), {"data": {"b": "1"}}, content_type=MERGE, fieldManager="editor"
    )
    assert owners(changed)["editor", "Update"] == {"f:data": {"f:b": {}}}


def test_the_manager_is_the_program_when_none_is_named(space: Space) -> None:
    headers = {**space.rest.headers, "User-Agent": "tool/1.0 (linux)", "Content-Type": "application/json"}
    data = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"v"}}'
    made = space.rest.send("POST", space.path("configmaps"), data=data, headers=headers).object
    assert [entry["manager"] for entry in made["metadata"]["managedFields"]] == ["tool"]


def test_a_pods_fields_are_owned_as_on_kubernetes(space: Space) -> None:
    container = pods.container(
        "x:1", name="c", ports=[{"containerPort": 80}], env=[{"name": "A", "value": "1"}]
    )
    made = space.create(pods.pod("p", container, nodeName="nowhere"))
    spec = made["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]
    assert spec["f:containers"]['k:{"name":"c"}']["f:ports"] == {
        ".": {},
        'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}, "f:protocol": {}},
    }
    assert "." not in spec["f:containers"]
    assert spec["f:securityContext"] == {}
    assert "f:serviceAccountName" not in spec
    space.rest.delete(space.path("pods", "p"), gracePeriodSeconds=0)


def test_the_status_has_owners_through_its_subresource(space: Space) -> None:
    space.create(pods.pod("p", pods.container("x:1"), nodeName="nowhere"))
    patched = space.rest.patch(
        space.path("pods", "p/status"),
        {"status": {"message": "hello"}, "spec": {"activeDeadlineSeconds": 5}},
        content_type=STRATEGIC,
        fieldManager="node",
    )
    entry = next(each for each in patched["metadata"]["managedFields"] if each["manager"] == "node")
    assert entry["subresource"] == "status"
    assert entry["fieldsV1"] == {"f:status": {"f:message": {}}}
    space.rest.delete(space.path("pods", "p"), gracePeriodSeconds=0)


def test_applying_creates_with_201_and_changes_with_200(space: Space) -> None:
    path = space.path("configmaps", "a")
    first = space.rest.request("PATCH", path, config_map(a="1"), content_type=APPLY, fieldManager="x")
    second = space.rest.request("PATCH", path, config_map(a="2"), content_type=APPLY, fieldManager="x")
    assert (first.code, second.code) == (201, 200)


def test_applying_the_same_again_keeps_the_resource_version(space: Space) -> None:
    first = applied(space, config_map(a="1"))
    assert applied(space, config_map(a="1")) == first


def test_a_field_manager_is_required(space: Space) -> None:
    status = space.rest.refusal(422, "PATCH", space.path("configmaps", "a"), config_map(), content_type=APPLY)
    assert status["message"] == (
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch'
    )


def test_force_is_for_apply_only(space: Space) -> None:
    space.config_map("a")
    status = space.rest.refusal(
        422, "PATCH", space.path("configmaps", "a"), {}, content_type=MERGE, force="true"
    )
    assert "force: Forbidden: may not be specified for non-apply patch" in status["message"]


def test_conflicts_are_causes_of_the_status(space: Space) -> None:
    applied(space, config_map(a="1"))
    status = space.rest.refusal(
        409,
        "PATCH",
        space.path("configmaps", "a"),
        config_map(a="2"),
        content_type=APPLY,
        fieldManager="other",
    )
    assert status["reason"] == "Conflict"
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "applier": .data.a'
    assert status["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "applier"', "field": ".data.a"}
    ]
    forced = applied(space, config_map(a="2"), "other", force="true")
    assert owners(forced) == {("other", "Apply"): {"f:data": {"f:a": {}}}}


def test_yaml_is_applied_and_its_duplicates_are_told(space: Space) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: x\n  k: y\n"
    path = space.path("configmaps", "a")
    status = space.rest.refusal(
        400, "PATCH", path, text, content_type=APPLY, fieldManager="x", fieldValidation="Strict"
    )
    assert status["message"].endswith('line 7: key "k" already set in map')
    warned = space.rest.request("PATCH", path, text, content_type=APPLY, fieldManager="x")
    assert warned.code == 201
    assert "already set in map" in warned.headers["warning"]


def test_other_types_of_configurations_are_refused(space: Space) -> None:
    path = space.path("configmaps", "a")
    for content_type in ("application/apply-patch+cbor", "application/json", "text/plain"):
        status = space.rest.refusal(415, "PATCH", path, b"{}", content_type=content_type, fieldManager="x")
        assert APPLY in status["message"]
    wrong = {**config_map(), "kind": "Secret"}
    status = space.rest.refusal(400, "PATCH", path, wrong, content_type=APPLY, fieldManager="x")
    assert status["message"] == "invalid object type: /v1, Kind=Secret"


def test_owners_are_cleared_by_one_empty_entry(space: Space) -> None:
    applied(space, config_map(a="1"))
    patch = [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]
    cleared = space.rest.patch(space.path("configmaps", "a"), patch, content_type=JSON_PATCH)
    assert "managedFields" not in cleared["metadata"]
    again = applied(space, config_map(a="1", b="2"))
    assert set(owners(again)) == {("applier", "Apply"), ("before-first-apply", "Update")}


@pytest.fixture
def crons(space: Space) -> Iterator[str]:
    """A custom kind with a scale, a keyed list, a set and free content: the path of its collection."""
    text, number = {"type": "string"}, {"type": "integer"}
    fields = {"port": number, "protocol": {**text, "default": "TCP"}, "label": text}
    port = {"type": "object", "required": ["port"], "properties": fields}
    keys = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["port", "protocol"]}
    spec = {
        "replicas": {"type": "integer"},
        "ports": {"type": "array", "items": port, **keys},
        "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    }
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": spec}}}
    group = f"{space.name}.example.com"
    names = {"plural": "crons", "singular": "cron", "kind": "Cron", "listKind": "CronList"}
    scale = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}, "scale": scale},
    }
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"crons.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": [version]},
    }
    space.rest.post(definitions, definition)
    path = space.path("crons", group=f"apis/{group}/v1")
    eventually(lambda: space.rest.request("GET", path).code == 200, what="crons are served")
    yield path
    space.rest.delete(f"{definitions}/crons.{group}")


def cron(path: str, **spec: Any) -> Object:
    return {
        "apiVersion": "/".join(path.split("/")[2:4]),
        "kind": "Cron",
        "metadata": {"name": "a"},
        "spec": spec,
    }


def test_custom_resources_are_applied_by_their_schema(space: Space, crons: str) -> None:
    path = f"{crons}/a"
    config = cron(
        crons, replicas=1, ports=[{"port": 80, "label": "x"}], tags=["b", "a"], free={"k": {"l": 1}}
    )
    made = space.rest.patch(path, config, content_type=APPLY, fieldManager="one")
    assert made["spec"]["ports"] == [{"port": 80, "protocol": "TCP", "label": "x"}]
    assert owners(made)["one", "Apply"] == {
        "f:spec": {
            "f:free": {"f:k": {".": {}, "f:l": {}}},
            "f:ports": {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:label": {}, "f:port": {}}},
            "f:replicas": {},
            "f:tags": {'v:"a"': {}, 'v:"b"': {}},
        }
    }
    more = cron(crons, tags=["c"], free={"m": 1}, ports=[{"port": 81}])
    both = space.rest.patch(path, more, content_type=APPLY, fieldManager="two")
    assert set(both["spec"]["tags"]) == {"a", "b", "c"}
    assert both["spec"]["free"] == {"k": {"l": 1}, "m": 1}
    less = space.rest.patch(path, cron(crons, replicas=1), content_type=APPLY, fieldManager="one")
    assert less["spec"] == {
        "replicas": 1,
        "tags": ["c"],
        "free": {"m": 1},
        "ports": [{"port": 81, "protocol": "TCP"}],
    }


def test_custom_resources_conflict_refuse_and_scale_as_others_do(space: Space, crons: str) -> None:
    path = f"{crons}/a"
    space.rest.patch(path, cron(crons, replicas=1), content_type=APPLY, fieldManager="one")
    space.rest.patch(f"{path}/scale", {"spec": {"replicas": 2}}, content_type=MERGE, fieldManager="scaler")
    status = space.rest.refusal(
        409, "PATCH", path, cron(crons, replicas=1), content_type=APPLY, fieldManager="one"
    )
    assert 'conflict with "scaler" with subresource "scale" using' in status["message"]
    unknown = cron(crons, unheardof=1)
    status = space.rest.refusal(500, "PATCH", path, unknown, content_type=APPLY, fieldManager="one")
    assert status["message"].endswith(".spec.unheardof: field not declared in schema")
    space.rest.refusal(415, "PATCH", path, {}, content_type=STRATEGIC)
