"""The official Python client on objects: create, list, watch, patch, delete."""

from typing import Any

import pytest
from kubernetes import client, watch

from conformance import pods
from conformance.space import Space

Core = Any
"""`CoreV1Api`, whose models declare that every field may be None."""


def _create(core: Core, space: Space, name: str, **data: str) -> Any:
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels={"app": "a"}), data=data)
    return core.create_namespaced_config_map(space.name, body)


def test_create_read_replace_delete(core: Core, space: Space) -> None:
    created = _create(core, space, "a", k="1")
    assert created.metadata.creation_timestamp.tzinfo
    created.data = {"k": "2"}
    core.replace_namespaced_config_map("a", space.name, created)
    assert core.read_namespaced_config_map("a", space.name).data == {"k": "2"}
    core.delete_namespaced_config_map("a", space.name)
    with pytest.raises(client.ApiException) as refused:
        core.read_namespaced_config_map("a", space.name)
    assert refused.value.status == 404


def test_a_stale_resource_version_is_a_conflict(core: Core, space: Space) -> None:
    stale = _create(core, space, "a", k="1")
    core.patch_namespaced_config_map("a", space.name, {"data": {"k": "2"}})
    with pytest.raises(client.ApiException) as refused:
        core.replace_namespaced_config_map("a", space.name, stale)
    assert (refused.value.status, refused.value.reason) == (409, "Conflict")


def test_a_list_in_pages(core: Core, space: Space) -> None:
    for number in range(5):
        _create(core, space, f"item-{number}")
    names, token = [], None
    while token != "":
        page = core.list_namespaced_config_map(space.name, limit=2, _continue=token, label_selector="app=a")
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue or ""
    assert names == [f"item-{number}" for number in range(5)]


def test_a_patch_of_each_kind(core: Core, space: Space) -> None:
    _create(core, space, "a", k="1")
    merged = core.patch_namespaced_config_map("a", space.name, {"data": {"k": "2"}})
    assert merged.data == {"k": "2"}
    steps = [{"op": "add", "path": "/data/new", "value": "3"}]
    assert core.patch_namespaced_config_map("a", space.name, steps).data == {"k": "2", "new": "3"}


def test_deletion_with_preconditions(core: Core, space: Space) -> None:
    created = _create(core, space, "a")
    wrong = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid="other"))
    with pytest.raises(client.ApiException) as refused:
        core.delete_namespaced_config_map("a", space.name, body=wrong)
    assert refused.value.status == 409
    right = client.V1DeleteOptions(preconditions=client.V1Preconditions(uid=created.metadata.uid))
    assert core.delete_namespaced_config_map("a", space.name, body=right)["status"] == "Success"


def test_a_watch_from_a_list(core: Core, space: Space) -> None:
    since = core.list_namespaced_config_map(space.name).metadata.resource_version
    _create(core, space, "a", k="1")
    core.patch_namespaced_config_map("a", space.name, {"data": {"k": "2"}})
    core.delete_namespaced_config_map("a", space.name)
    seen = _watch(core, space, since, count=3)
    assert seen == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]


def test_a_watch_resumes_where_another_ended(core: Core, space: Space) -> None:
    since = core.list_namespaced_config_map(space.name).metadata.resource_version
    for name in "abcd":
        _create(core, space, name)
    first: Any = watch.Watch()
    seen = []
    for event in first.stream(core.list_namespaced_config_map, space.name, resource_version=since):
        seen.append(event["object"].metadata.name)
        if len(seen) == 2:
            first.stop()
    assert seen == ["a", "b"]
    rest = _watch(core, space, first.resource_version, count=2)
    assert rest == [("ADDED", "c"), ("ADDED", "d")]


def test_a_pod_is_created_from_its_model(core: Core, space: Space) -> None:
    container = client.V1Container(name="main", image=space.image, command=["sh", "-c", pods.IDLE])
    spec = client.V1PodSpec(containers=[container], node_selector={"no.such/label": "x"})
    body = client.V1Pod(metadata=client.V1ObjectMeta(generate_name="made-"), spec=spec)
    created = core.create_namespaced_pod(space.name, body)
    assert created.metadata.name.startswith("made-")
    assert created.status.phase == "Pending"
    assert created.status.qos_class == "BestEffort"
    assert created.spec.service_account_name == "default"


def test_an_invalid_pod(core: Core, space: Space) -> None:
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": []}}
    with pytest.raises(client.ApiException) as refused:
        core.create_namespaced_pod(space.name, body)
    assert refused.value.status == 422
    assert "spec.containers: Required value" in str(refused.value.body)


def test_the_other_groups(space: Space, core: Core) -> None:
    apps: Any = client.AppsV1Api(core.api_client)
    template = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "a"}}, "template": template}
    apps.create_namespaced_deployment(space.name, {"metadata": {"name": "a"}, "spec": spec})
    assert [d.metadata.name for d in apps.list_namespaced_deployment(space.name).items] == ["a"]
    assert client.VersionApi(core.api_client).get_code().major == "1"


def _watch(core: Core, space: Space, since: str, *, count: int) -> list[tuple[str, str]]:
    watcher = watch.Watch()
    seen: list[tuple[str, str]] = []
    options = {"resource_version": since, "timeout_seconds": 20}
    for event in watcher.stream(core.list_namespaced_config_map, space.name, **options):
        seen.append((event["type"], event["object"].metadata.name))
        if len(seen) == count:
            watcher.stop()
    return seen
