"""Objects as the API keeps them: metadata, writes of all sorts, selectors, pages, tables."""

from conformance import pods
from conformance.rest import JSON_PATCH, MERGE, STRATEGIC, Object, Rest
from conformance.space import Space

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
APPS = "apis/apps/v1"
ONE, TWO = {"name": "one", "image": "a:1"}, {"name": "two", "image": "b:1"}
METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"


def test_a_new_object_gets_its_metadata(space: Space) -> None:
    metadata = space.config_map("a")["metadata"]
    assert metadata["namespace"] == space.name
    assert len(metadata["uid"]) == 36
    assert int(metadata["resourceVersion"]) > 0
    assert metadata["creationTimestamp"].endswith("Z")


def test_what_a_client_says_of_uid_and_creation_does_not_count(space: Space) -> None:
    body = pods.config_map("a", {})
    body["metadata"] |= {"uid": "mine", "creationTimestamp": "2001-01-01T00:00:00Z"}
    metadata = space.create(body, "configmaps")["metadata"]
    assert metadata["uid"] != "mine"
    assert not metadata["creationTimestamp"].startswith("2001")


def test_a_resource_version_on_creation_is_refused(space: Space) -> None:
    body = pods.config_map("a", {})
    body["metadata"]["resourceVersion"] = "5"
    status = space.rest.refusal(500, "POST", space.path("configmaps"), body)
    assert status["message"] == "resourceVersion should not be set on objects to be created"


def test_generated_names(space: Space) -> None:
    body = {**pods.config_map("", {}), "metadata": {"generateName": "made-"}}
    names = {space.create(body, "configmaps")["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("made-") and len(name) == 10 for name in names), names


def test_an_update_without_a_change_keeps_the_resource_version(space: Space) -> None:
    before = space.config_map("a", k="1")
    after = space.rest.put(space.path("configmaps", "a"), before)
    assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


def test_an_update_without_a_resource_version_is_unconditional(space: Space) -> None:
    space.config_map("a", k="1")
    updated = space.rest.put(space.path("configmaps", "a"), pods.config_map("a", {"k": "2"}))
    assert updated["data"] == {"k": "2"}


def test_generation_counts_changes_of_the_spec(space: Space) -> None:
    assert _deploy(space, ONE)["metadata"]["generation"] == 1
    path = space.path("deployments", "a", group=APPS)
    labelled = space.rest.patch(path, {"metadata": {"labels": {"x": "y"}}})
    assert labelled["metadata"]["generation"] == 1
    assert space.rest.patch(path, {"spec": {"paused": True}})["metadata"]["generation"] == 2


def test_status_and_spec_are_written_apart(space: Space) -> None:
    space.run("a", nodeSelector={"no.such/label": "x"})
    path = space.path("pods", "a")
    changed = space.rest.patch(path, {"status": {"phase": "Failed"}})
    assert changed["status"]["phase"] == "Pending"
    body = {"status": {"message": "by the test"}, "metadata": {"labels": {"x": "y"}}}
    assert space.rest.patch(path + "/status", body)["status"]["message"] == "by the test"
    assert space.pod("a")["spec"]["nodeSelector"] == {"no.such/label": "x"}


def test_a_json_patch(space: Space) -> None:
    space.config_map("a", k="1", gone="x")
    steps = [
        {"op": "test", "path": "/data/k", "value": "1"},
        {"op": "replace", "path": "/data/k", "value": "2"},
        {"op": "remove", "path": "/data/gone"},
    ]
    path = space.path("configmaps", "a")
    assert space.rest.patch(path, steps, content_type=JSON_PATCH)["data"] == {"k": "2"}
    space.rest.refusal(422, "PATCH", path, steps, content_type=JSON_PATCH)


def test_a_merge_patch_removes_with_null(space: Space) -> None:
    space.config_map("a", k="1", gone="x")
    body = {"data": {"k": "2", "gone": None}}
    path = space.path("configmaps", "a")
    assert space.rest.patch(path, body, content_type=MERGE)["data"] == {"k": "2"}


def test_a_strategic_patch_merges_lists_by_their_key(space: Space) -> None:
    _deploy(space, ONE)
    assert _containers_after(space, TWO) == ["one", "two"]


def test_a_strategic_patch_deletes_by_directive(space: Space) -> None:
    _deploy(space, ONE, TWO)
    assert _containers_after(space, {"name": "two", "$patch": "delete"}) == ["one"]


def test_a_dry_run_answers_and_keeps_nothing(space: Space) -> None:
    made = space.rest.post(space.path("configmaps"), pods.config_map("a", {}), dryRun="All")
    assert made["metadata"]["uid"]
    space.rest.refusal(404, "GET", space.path("configmaps", "a"))
    space.config_map("b", k="1")
    space.rest.patch(space.path("configmaps", "b"), {"data": {"k": "2"}}, dryRun="All")
    space.rest.delete(space.path("configmaps", "b"), dryRun="All")
    assert space.rest.get(space.path("configmaps", "b"))["data"] == {"k": "1"}


def test_unknown_fields_are_refused_in_strict_mode(space: Space) -> None:
    body = {**pods.config_map("a", {}), "unheardof": 1}
    status = space.rest.refusal(400, "POST", space.path("configmaps"), body, fieldValidation="Strict")
    assert 'strict decoding error: unknown field "unheardof"' in status["message"]


def test_unknown_fields_are_dropped_with_a_warning(space: Space) -> None:
    body = {**pods.config_map("a", {}), "unheardof": 1}
    response = space.rest.request("POST", space.path("configmaps"), body, fieldValidation="Warn")
    assert response.code == 201, str(response)
    assert "unheardof" not in response.object
    assert response.headers["warning"] == '299 - "unknown field \\"unheardof\\""'


def test_duplicate_fields_are_refused_in_strict_mode(space: Space) -> None:
    body = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"data":{"k":"1"},"data":{"k":"2"}}'
    status = space.rest.refusal(400, "POST", space.path("configmaps"), body, fieldValidation="Strict")
    assert 'duplicate field "data"' in status["message"]


def test_a_wrong_type_is_refused_in_every_mode(space: Space) -> None:
    body = {**pods.config_map("a", {}), "data": {"k": 1}}
    space.rest.refusal(400, "POST", space.path("configmaps"), body, fieldValidation="Ignore")


def test_label_selectors(space: Space) -> None:
    for name, color in (("a", "red"), ("b", "blue"), ("c", "")):
        body = pods.config_map(name, {})
        body["metadata"]["labels"] = {"color": color} if color else {"plain": ""}
        space.create(body, "configmaps")
    assert _names(space, labelSelector="color=red") == ["a"]
    assert _names(space, labelSelector="color in (red,blue)") == ["a", "b"]
    assert _names(space, labelSelector="color,color!=red") == ["b"]
    assert "c" in _names(space, labelSelector="!color")
    assert _names(space, labelSelector="color notin (red),!plain,color") == ["b"]


def test_a_label_selector_that_does_not_parse(space: Space) -> None:
    status = space.rest.refusal(400, "GET", space.path("configmaps"), labelSelector="a in (")
    assert status["reason"] == "BadRequest"
    assert "unable to parse requirement" in status["message"]


def test_field_selectors(space: Space) -> None:
    for name in ("a", "b"):
        space.config_map(name)
    assert _names(space, fieldSelector="metadata.name=a") == ["a"]
    assert "a" not in _names(space, fieldSelector="metadata.name!=a")
    space.run("unbound", nodeSelector={"no.such/label": "x"})
    bound = space.rest.get("/api/v1/pods", fieldSelector="spec.nodeName=some-node")["items"]
    assert bound == []
    found = space.rest.get(space.path("pods"), fieldSelector="status.phase=Pending,spec.nodeName=")["items"]
    assert [pod["metadata"]["name"] for pod in found] == ["unbound"]


def test_a_field_that_cannot_be_selected(space: Space) -> None:
    status = space.rest.refusal(400, "GET", space.path("pods"), fieldSelector="spec.hostname=a")
    assert "field label not supported: spec.hostname" in status["message"]
    status = space.rest.refusal(400, "GET", space.path("configmaps"), fieldSelector="data.k=1")
    assert '"data.k" is not a known field selector' in status["message"]


def test_a_list_in_pages(space: Space) -> None:
    for number in range(5):
        space.config_map(f"item-{number}")
    path = space.path("configmaps")
    first = space.rest.get(path, limit=2)
    assert first["metadata"]["remainingItemCount"] == 4  # kube-root-ca.crt is there, too
    names = [item["metadata"]["name"] for item in first["items"]]
    space.config_map("item-9")
    token, page = first["metadata"]["continue"], first
    while token:
        page = space.rest.get(path, **{"limit": 2, "continue": token})
        assert page["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        names += [item["metadata"]["name"] for item in page["items"]]
        token = page["metadata"].get("continue", "")
    assert names == [*(f"item-{number}" for number in range(5)), "kube-root-ca.crt"]


def test_a_list_as_it_was_at_a_version(space: Space) -> None:
    then = space.config_map("a", k="1")["metadata"]["resourceVersion"]
    space.rest.patch(space.path("configmaps", "a"), {"data": {"k": "2"}})
    space.config_map("b")
    old = {"resourceVersion": then, "resourceVersionMatch": "Exact"}
    found = space.rest.get(space.path("configmaps"), **old)
    assert found["metadata"]["resourceVersion"] == then
    assert [item["metadata"]["name"] for item in found["items"]] == ["a", "kube-root-ca.crt"]
    assert found["items"][0]["data"] == {"k": "1"}


def test_a_version_that_is_yet_to_come(space: Space) -> None:
    status = space.rest.refusal(504, "GET", space.path("configmaps"), resourceVersion=10**12)
    assert status["reason"] == "Timeout"
    assert status["message"].startswith("Timeout: Too large resource version: 1000000000000, current: ")


def test_a_collection_is_deleted_by_selector(space: Space) -> None:
    for name in ("a", "b"):
        body = pods.config_map(name, {})
        body["metadata"]["labels"] = {"name": name}
        space.create(body, "configmaps")
    space.rest.delete(space.path("configmaps"), labelSelector="name=a")
    assert _names(space, labelSelector="name") == ["b"]


def test_deletion_with_preconditions(space: Space) -> None:
    old = space.config_map("a")
    path = space.path("configmaps", "a")
    wrong = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "other"}}
    status = space.rest.refusal(409, "DELETE", path, wrong)
    assert "Precondition failed: UID in precondition: other, UID in object meta:" in status["message"]
    answer = space.rest.delete(path, {**wrong, "preconditions": {"uid": old["metadata"]["uid"]}})
    assert (answer["kind"], answer["status"]) == ("Status", "Success")
    assert answer["details"] == {"name": "a", "kind": "configmaps", "uid": old["metadata"]["uid"]}


def test_an_object_with_a_finalizer_waits_for_it(space: Space) -> None:
    body = pods.config_map("a", {})
    body["metadata"]["finalizers"] = ["example.com/hold"]
    space.create(body, "configmaps")
    path = space.path("configmaps", "a")
    space.rest.delete(path)
    assert space.rest.get(path)["metadata"]["deletionTimestamp"]
    space.rest.patch(path, {"metadata": {"finalizers": None}})
    space.rest.refusal(404, "GET", path)


def test_a_table(space: Space) -> None:
    space.config_map("a", one="1", two="2")
    path = space.path("configmaps")
    response = space.rest.send("GET", path, data=None, headers={**space.rest.headers, "Accept": TABLE})
    table = response.object
    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    row = next(row for row in table["rows"] if row["cells"][0] == "a")
    assert row["cells"][1] == 2
    assert row["object"]["kind"] == "PartialObjectMetadata"


def test_a_table_of_one_object(space: Space) -> None:
    space.config_map("a", one="1")
    headers = {**space.rest.headers, "Accept": TABLE}
    table = space.rest.send("GET", space.path("configmaps", "a"), data=None, headers=headers).object
    assert [row["cells"][0] for row in table["rows"]] == ["a"]


def test_metadata_only(space: Space) -> None:
    space.config_map("a", one="1")
    headers = {**space.rest.headers, "Accept": METADATA}
    found = space.rest.send("GET", space.path("configmaps"), data=None, headers=headers).object
    assert found["kind"] == "PartialObjectMetadataList"
    assert all("data" not in item for item in found["items"])


def test_yaml_both_ways(space: Space) -> None:
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\ndata:\n  k: 'yes'\n"
    kind = "application/yaml"
    headers = {**space.rest.headers, "Accept": kind, "Content-Type": kind}
    response = space.rest.send("POST", space.path("configmaps"), data=body, headers=headers)
    assert response.code == 201, str(response)
    assert 'k: "yes"' in response.text.replace("'", '"')


def test_the_secret_data_that_is_given_as_text(space: Space) -> None:
    created = space.secret("a", password="hunter2")
    assert created["data"] == {"password": "aHVudGVyMg=="}
    assert "stringData" not in created
    assert created["type"] == "Opaque"


def test_a_service_gets_an_address_of_its_own(space: Space) -> None:
    spec = {"selector": {"app": "a"}, "ports": [{"port": 80}]}
    body = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": spec}
    created = space.create(body, "services")["spec"]
    assert (created["type"], created["sessionAffinity"]) == ("ClusterIP", "None")
    assert created["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]


def test_every_listable_resource_can_be_listed(rest: Rest) -> None:
    groups = [f"/apis/{g['preferredVersion']['groupVersion']}" for g in rest.get("/apis")["groups"]]
    for group in ["/api/v1", *groups]:
        for resource in rest.get(group)["resources"]:
            if "list" in resource["verbs"]:
                found = rest.get(f"{group}/{resource['name']}")
                assert found["kind"] == resource["kind"] + "List", f"{group}/{resource['name']}"


def _deploy(space: Space, *containers: Object) -> Object:
    """A paused deployment `a` of no replicas."""
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": list(containers)}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "a"}}, "template": template}
    body = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec}
    created: Object = space.rest.post(space.path("deployments", group=APPS), body)
    return created


def _containers_after(space: Space, container: Object) -> list[str]:
    """The names of the deployment's containers after a strategic patch with that one."""
    body = {"spec": {"template": {"spec": {"containers": [container]}}}}
    path = space.path("deployments", "a", group=APPS)
    patched = space.rest.patch(path, body, content_type=STRATEGIC)
    return sorted(item["name"] for item in patched["spec"]["template"]["spec"]["containers"])


def _names(space: Space, **query: str) -> list[str]:
    found = space.rest.get(space.path("configmaps"), **query)
    return [item["metadata"]["name"] for item in found["items"]]
