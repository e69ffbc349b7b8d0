"""The official Python client and custom resources: definitions, CustomObjectsApi, the dynamic client."""

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, dynamic, watch
from kubernetes.config import new_client_from_config

from conformance import customs
from conformance.cluster import Cluster
from conformance.customs import Customs
from conformance.rest import Rest
from conformance.space import Space


@pytest.fixture
def tabs(rest: Rest, space: Space) -> Iterator[Customs]:
    with customs.opened(rest, space.name) as opened:
        yield opened


@pytest.fixture
def api(cluster: Cluster) -> Any:
    return new_client_from_config(str(cluster.kubeconfig))


def test_definitions_are_made_and_read(api: Any, tabs: Customs) -> None:
    definitions: Any = client.ApiextensionsV1Api(api)
    definitions.create_custom_resource_definition(tabs.definition())
    found: Any = definitions.read_custom_resource_definition(tabs.name)
    assert found.spec.versions[0].schema.open_apiv3_schema.properties["spec"].type == "object"
    listed: Any = definitions.list_custom_resource_definition()
    assert tabs.name in [each.metadata.name for each in listed.items]
    definitions.delete_custom_resource_definition(tabs.name)


def test_custom_objects(api: Any, tabs: Customs) -> None:
    tabs.establish()
    objects: Any = client.CustomObjectsApi(api)
    place = (tabs.group, "v1", tabs.namespace, "crontabs")
    created = objects.create_namespaced_custom_object(*place, tabs.tab("a", image="one"))
    assert created["spec"] == {"image": "one", "replicas": 1}
    patched = objects.patch_namespaced_custom_object(*place, "a", {"spec": {"image": "two"}})
    assert patched["spec"]["image"] == "two"
    status = objects.patch_namespaced_custom_object_status(*place, "a", {"status": {"replicas": 1}})
    assert status["status"] == {"replicas": 1}
    scale = objects.patch_namespaced_custom_object_scale(*place, "a", {"spec": {"replicas": 4}})
    assert scale["spec"]["replicas"] == 4
    names = [each["metadata"]["name"] for each in objects.list_namespaced_custom_object(*place)["items"]]
    assert names == ["a"]
    objects.delete_namespaced_custom_object(*place, "a")
    with pytest.raises(client.ApiException) as refused:
        objects.get_namespaced_custom_object(*place, "a")
    assert refused.value.status == 404


def test_a_watch_on_custom_objects(api: Any, tabs: Customs) -> None:
    tabs.establish()
    objects: Any = client.CustomObjectsApi(api)
    place = (tabs.group, "v1", tabs.namespace, "crontabs")
    for name in ("a", "b"):
        objects.create_namespaced_custom_object(*place, tabs.tab(name))
    seen = []
    stream = watch.Watch()
    for event in stream.stream(objects.list_namespaced_custom_object, *place, timeout_seconds=10):
        seen.append((event["type"], event["object"]["metadata"]["name"]))
        if len(seen) == 2:
            stream.stop()
    assert seen == [("ADDED", "a"), ("ADDED", "b")]


def test_the_dynamic_client_finds_a_new_kind(api: Any, tabs: Customs) -> None:
    tabs.establish()
    found = dynamic.DynamicClient(api).resources.get(api_version=f"{tabs.group}/v1", kind="CronTab")
    created = found.create(body=tabs.tab("a", image="one"), namespace=tabs.namespace)
    assert created.spec.replicas == 1
    patch = {"spec": {"image": "two"}}
    options = {"content_type": "application/merge-patch+json"}
    found.patch(name="a", body=patch, namespace=tabs.namespace, **options)
    assert found.get(name="a", namespace=tabs.namespace).spec.image == "two"
    applied = found.server_side_apply(
        body=tabs.tab("b", image="three"), name="b", namespace=tabs.namespace, field_manager="test"
    )
    assert applied.metadata.managedFields[0].operation == "Apply"
    found.delete(name="a", namespace=tabs.namespace)
