"""The official Python client beside the API's calls: YAML, informers, elections, retries, dynamic kinds."""

import threading
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config, dynamic, utils
from kubernetes.dynamic import exceptions as failures
from kubernetes.informer import SharedInformer
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock
from kubernetes.utils import retry

from conformance.cluster import Cluster
from conformance.space import Space
from conformance.waiting import eventually

APPS = {"app": "a"}
TEMPLATE = {"metadata": {"labels": APPS}, "spec": {"containers": [{"name": "a", "image": "a:1"}]}}
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
OBJECTS: list[dict[str, Any]] = [
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "1"}},
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "labels": APPS},
        "spec": {"replicas": 0, "selector": {"matchLabels": APPS}, "template": TEMPLATE},
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "a"},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}],
    },
    {
        "apiVersion": "v1",
        "kind": "ServiceList",
        "items": [{"metadata": {"name": name}, "spec": {"ports": [{"port": 80}]}} for name in "ab"],
    },
]


@pytest.fixture
def own(cluster: Cluster) -> Any:
    """An API client that no thread of another test shares."""
    return config.new_client_from_config(str(cluster.kubeconfig))


@pytest.fixture
def kinds(own: Any, tmp_path: Path) -> Any:
    """The dynamic client, with a cache of its own."""
    return dynamic.DynamicClient(own, cache_file=str(tmp_path / "discovery.json"))


def test_objects_from_a_file_of_yaml(own: Any, core: Any, space: Space, tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all(OBJECTS))
    utils.create_from_yaml(own, str(file), namespace=space.name)
    assert core.read_namespaced_config_map("a", space.name).data == {"k": "1"}
    assert {found.metadata.name for found in core.list_namespaced_service(space.name).items} == {"a", "b"}
    with pytest.raises(utils.FailToCreateError) as refused:
        utils.create_from_yaml(own, str(file), namespace=space.name)
    assert {failure.reason for failure in refused.value.api_exceptions} == {"Conflict"}


def test_objects_from_yaml_are_applied_again(own: Any, core: Any, space: Space) -> None:
    for value in ("1", "2"):
        body = {**OBJECTS[0], "data": {"k": value}}
        utils.create_from_dict(own, body, namespace=space.name, apply=True)
    found = core.read_namespaced_config_map("a", space.name)
    assert found.data == {"k": "2"}
    assert [entry.operation for entry in found.metadata.managed_fields] == ["Apply"]


def test_an_informer_follows(core: Any, own: Any, space: Space) -> None:
    core.create_namespaced_config_map(space.name, {"metadata": {"name": "before", "labels": APPS}})
    informer = SharedInformer(
        client.CoreV1Api(own).list_namespaced_config_map, namespace=space.name, label_selector="app=a"
    )
    deleted = threading.Event()
    informer.add_event_handler("DELETED", lambda _: deleted.set())
    informer.start()
    core.create_namespaced_config_map(space.name, {"metadata": {"name": "after", "labels": APPS}})
    names = {f"{space.name}/before", f"{space.name}/after"}
    eventually(lambda: set(informer.cache.list_keys()) == names, what="both are known", every=0.01)
    core.patch_namespaced_config_map("after", space.name, {"metadata": {"labels": {"app": None}}})
    assert deleted.wait(10), "what leaves the selector is deleted to the informer"
    informer.stop()
    assert informer.cache.list_keys() == [f"{space.name}/before"]


@pytest.mark.parametrize(
    ("kind", "group"), [(LeaseLock, client.CoordinationV1Api), (ConfigMapLock, client.CoreV1Api)]
)
def test_one_leader_is_elected(kind: Any, group: Any, own: Any, space: Space) -> None:
    """By both kinds of lock: the first to ask leads, renews, and is known to the second."""

    def candidate(identity: str) -> Any:
        lock = kind("election", space.name, identity)
        lock.api_instance = group(own)
        wanted = electionconfig.Config(lock, 30, 20, 1, lambda: None, None)
        return leaderelection.LeaderElection(wanted)

    first, second = candidate("a"), candidate("b")
    asked = [candidate.try_acquire_or_renew() for candidate in (first, second, first, second)]
    assert asked == [True, False, True, False]
    assert second.observed_record.holder_identity == "a"


def test_a_conflict_is_tried_again(core: Any, space: Space) -> None:
    stale = core.create_namespaced_config_map(space.name, {"metadata": {"name": "a"}})
    core.patch_namespaced_config_map("a", space.name, {"data": {"k": "1"}})
    tries = [stale]

    def change() -> Any:
        found = tries.pop() if tries else core.read_namespaced_config_map("a", space.name)
        found.data = {**(found.data or {}), "l": "2"}
        return core.replace_namespaced_config_map("a", space.name, found)

    assert retry.retry_on_conflict(change).data == {"k": "1", "l": "2"}


def test_dynamic_kinds_are_found_by_every_name(kinds: Any) -> None:
    deployments = kinds.resources.get(api_version="apps/v1", kind="Deployment")
    assert kinds.resources.get(short_names=["deploy"]).name == deployments.name == "deployments"
    assert kinds.resources.get(singular_name="deployment").kind == "Deployment"
    assert {"status", "scale"} <= set(deployments.subresources)
    assert kinds.version["kubernetes"]["major"] == "1"
    with pytest.raises(failures.ResourceNotFoundError):
        kinds.resources.get(api_version="v1", kind="NoSuchKind")


def test_dynamic_objects_with_selectors_subresources_and_all_patches(kinds: Any, space: Space) -> None:
    deployments = kinds.resources.get(api_version="apps/v1", kind="Deployment")
    deployments.create(body=OBJECTS[1], namespace=space.name)
    place = {"name": "a", "namespace": space.name}
    scaled = deployments.scale.patch(
        body={"spec": {"replicas": 2}}, content_type="application/merge-patch+json", **place
    )
    assert (scaled.kind, scaled.spec.replicas) == ("Scale", 2)
    steps = [{"op": "replace", "path": "/spec/replicas", "value": 0}]
    changed = deployments.patch(body=steps, content_type="application/json-patch+json", **place)
    assert changed.spec.replicas == 0
    found = deployments.get(namespace=space.name, label_selector="app=a", field_selector="metadata.name=a")
    assert [item.metadata.name for item in found.items] == ["a"]
    assert not deployments.get(namespace=space.name, label_selector="app!=a").items
    assert deployments.status.get(**place).metadata.name == "a"
    deployments.delete(namespace=space.name, label_selector="app=a")
    with pytest.raises(failures.NotFoundError):
        deployments.get(**place)


def test_dynamic_apply_names_the_owner_of_a_conflict(kinds: Any, space: Space) -> None:
    maps = kinds.resources.get(api_version="v1", kind="ConfigMap")
    body = {**OBJECTS[0], "data": {"k": "1"}}
    place = {"name": "a", "namespace": space.name}
    maps.server_side_apply(body=body, field_manager="one", **place)
    with pytest.raises(failures.ConflictError) as refused:
        maps.server_side_apply(body={**body, "data": {"k": "2"}}, field_manager="two", **place)
    assert 'conflict with \\"one\\": .data.k' in str(refused.value.body)
    forced = maps.server_side_apply(
        body={**body, "data": {"k": "2"}}, field_manager="two", force_conflicts=True, **place
    )
    assert forced.data.k == "2"


def test_dynamic_lists_of_metadata_alone(kinds: Any, space: Space) -> None:
    maps = kinds.resources.get(api_version="v1", kind="ConfigMap")
    found = maps.get(namespace=space.name, header_params={"Accept": METADATA_ONLY})
    assert (found.kind, found.items[0].data) == ("PartialObjectMetadataList", None)
