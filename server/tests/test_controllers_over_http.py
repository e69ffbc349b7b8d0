"""Controllers and scheduler over HTTP: the same code against a real server, which comes and goes."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from kubeling.client import ConnectionLost, HttpClient
from kubeling.client.kubeconfig import Connection
from kubeling.client.resources import (
    CLUSTER_ROLES,
    CONFIGMAPS,
    CRON_JOBS,
    CUSTOM_RESOURCE_DEFINITIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    EVENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    JOBS,
    NAMESPACES,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PODS,
    REPLICA_SETS,
    SECRETS,
    SERVICE_ACCOUNTS,
    STATEFUL_SETS,
    Resource,
)
from kubeling.objects import conditions, meta
from kubeling.objects.clock import SystemClock
from kubeling.objects.errors import AlreadyExists, Conflict, NotFound, Unauthorized
from kubeling.objects.meta import Object
from server.tests.over_http import Components, Server, client, components, eventually, server
from server.tests.test_custom_api import definition

__all__ = ["client", "components", "server"]


def config_map(name: str = "a", **data: str) -> Object:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


async def test_requests_and_refusals(client: HttpClient) -> None:
    made = await client.create(CONFIGMAPS, config_map(x="1"))
    assert await client.get(CONFIGMAPS, "a", namespace="default") == made
    await client.patch(CONFIGMAPS, "a", {"data": {"x": "2"}}, namespace="default")
    with pytest.raises(Conflict):
        await client.update(CONFIGMAPS, made)
    with pytest.raises(AlreadyExists):
        await client.create(CONFIGMAPS, config_map())
    await client.delete(CONFIGMAPS, "a", namespace="default", preconditions={"uid": made["metadata"]["uid"]})
    with pytest.raises(NotFound, match='configmaps "a" not found'):
        await client.get(CONFIGMAPS, "a", namespace="default")


async def test_lists_and_watches(client: HttpClient) -> None:
    await client.create(CONFIGMAPS, config_map("a"))
    listing = await client.list(CONFIGMAPS, namespace="default", field_selector="metadata.name=a")
    assert [item["kind"] for item in listing.items] == ["ConfigMap"]
    await client.create(CONFIGMAPS, config_map("b", text="x" * 300_000))
    async with aclosing(client.watch(CONFIGMAPS, resource_version=listing.resource_version)) as watch:
        event = await anext(watch)
    assert (event.type, event.object["metadata"]["name"]) == ("ADDED", "b")
    assert len(event.object["data"]["text"]) == 300_000


async def test_discovery(client: HttpClient) -> None:
    found = {str(resource): resource for resource in await client.discover()}
    assert found["pods"] == PODS
    assert "deletecollection" in found["deployments.apps"].verbs


async def test_a_stranger_is_refused(server: Server) -> None:
    known = server.connection()
    stranger = Connection(known.server, authority=known.authority, token="nobody's")
    async with HttpClient(stranger) as client:
        with pytest.raises(Unauthorized):
            await client.list(PODS)


async def test_nobody_there_and_somebody_untrusted_are_connection_losses(
    server: Server,
) -> None:
    async with HttpClient(server.connection(port=1)) as client:
        with pytest.raises(ConnectionLost, match="cannot connect"):
            await client.list(PODS)
    async with HttpClient(Connection(server.connection().server)) as client:
        with pytest.raises(ConnectionLost, match="not trusted"):
            await client.list(PODS)


async def test_the_control_plane_works_over_http(
    client: HttpClient, components: Components, caplog: pytest.LogCaptureFixture
) -> None:
    await components.start(scheduler=True)
    accounts, pods, nodes = (client.informer(each) for each in (SERVICE_ACCOUNTS, PODS, NODES))
    await eventually(lambda: accounts.get("default", "default"))
    await client.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    status = {"allocatable": {"cpu": "4", "memory": "4Gi", "pods": "110"}, "conditions": [ready]}
    await client.patch(NODES, "n", {"status": status}, subresource="status")
    spec = {"containers": [{"name": "c", "image": "busybox"}]}
    metadata = {"name": "p", "namespace": "default"}
    await client.create(PODS, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    await eventually(lambda: (pods.get("default", "p") or {}).get("spec", {}).get("nodeName") == "n")
    await eventually(lambda: (nodes.get("", "n") or {}).get("spec", {}).get("podCIDR") == "10.244.0.0/24")
    events = client.informer(EVENTS)
    await eventually(lambda: "Scheduled" in [event["reason"] for event in events.list("default")])
    await components.stop()
    assert "forbidden" not in caplog.text


async def test_a_node_takes_no_pods_before_it_is_ready(client: HttpClient, components: Components) -> None:
    made = await client.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
    assert made["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]
    await components.start()
    nodes = client.informer(NODES)
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    await client.patch(NODES, "n", {"status": {"conditions": [ready]}}, subresource="status")
    await eventually(lambda: not (nodes.get("", "n") or made)["spec"].get("taints"))


async def test_a_namespace_is_emptied_over_http(client: HttpClient, components: Components) -> None:
    await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "ns"}})
    await components.start()
    accounts, spaces = client.informer(SERVICE_ACCOUNTS), client.informer(NAMESPACES)
    await eventually(lambda: accounts.get("ns", "default"))
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "ns"}}
    await client.create(SECRETS, secret)
    await client.delete(NAMESPACES, "ns")
    await eventually(lambda: spaces.get("", "ns") is None)
    assert (await client.list(SECRETS, namespace="ns")).items == []


async def test_roles_are_aggregated_over_http(client: HttpClient, components: Components) -> None:
    roles = client.informer(CLUSTER_ROLES)
    await components.start()

    def resources(name: str) -> set[str]:
        rules = (roles.get("", name) or {}).get("rules") or []
        return {resource for rule in rules for resource in rule.get("resources", ())}

    await eventually(lambda: "rolebindings" in resources("admin") and "pods/exec" in resources("admin"))
    labels = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    rule = {"verbs": ["get"], "apiGroups": ["example.com"], "resources": ["widgets"]}
    added = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "widgets", "labels": labels},
        "rules": [rule],
    }
    await client.create(CLUSTER_ROLES, added)
    await eventually(lambda: all("widgets" in resources(name) for name in ("view", "edit", "admin")))
    await client.delete(CLUSTER_ROLES, "widgets")
    await eventually(lambda: not any("widgets" in resources(name) for name in ("view", "edit", "admin")))


async def test_an_informer_is_there_before_its_server(tmp_path: Path) -> None:
    server = Server(tmp_path)
    await server.start()
    await server.stop()
    async with HttpClient(server.connection()) as client:
        informer = client.informer(NAMESPACES)
        await SystemClock().sleep(0.05)
        assert not informer.synced
        await server.start()
        await asyncio.wait_for(informer.wait_synced(), 5)
        assert informer.get("", "default")
    await server.stop()


async def test_an_informer_misses_nothing_while_the_server_restarts(
    server: Server, client: HttpClient
) -> None:
    seen: list[tuple[str, str]] = []
    informer = client.informer(CONFIGMAPS, namespace="default")
    informer.add_handler(lambda kind, obj, _: seen.append((kind, obj["metadata"]["name"])))
    await informer.wait_synced()
    await client.create(CONFIGMAPS, config_map("before"))
    await eventually(lambda: informer.get("default", "before"))
    await server.stop()
    await server.start()
    async with HttpClient(server.connection()) as other:
        await other.delete(CONFIGMAPS, "before", namespace="default")
        await other.create(CONFIGMAPS, config_map("after"))
    await eventually(lambda: informer.get("default", "after"))
    assert seen == [("ADDED", "before"), ("DELETED", "before"), ("ADDED", "after")]


async def test_dependents_follow_their_owner_with_the_rights_of_the_garbage_collector(
    client: HttpClient, components: Components
) -> None:
    await components.start()
    owner = await client.create(CONFIGMAPS, config_map("owner"))
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    for name, policy in (("blocks", True), ("follows", False)):
        dependent = config_map(name)
        dependent["metadata"]["ownerReferences"] = [{**reference, "blockOwnerDeletion": policy}]
        await client.create(CONFIGMAPS, dependent)
    await client.delete(CONFIGMAPS, "owner", namespace="default", propagation_policy="Foreground")
    left = client.informer(CONFIGMAPS, namespace="default")
    await left.wait_synced()
    await eventually(lambda: {each["metadata"]["name"] for each in left.list()} <= {"kube-root-ca.crt"})


async def test_a_deployment_rolls_out_with_the_rights_of_its_controllers(
    client: HttpClient, components: Components, caplog: pytest.LogCaptureFixture
) -> None:
    await components.start()
    sets, pods = client.informer(REPLICA_SETS), client.informer(PODS)
    accounts = client.informer(SERVICE_ACCOUNTS)
    await eventually(lambda: accounts.get("default", "default"))
    orphan = {"metadata": {"name": "orphan", "namespace": "default", "labels": {"a": "x"}}}
    spec = {"containers": [{"name": "c", "image": "one"}]}
    await client.create(PODS, {"apiVersion": "v1", "kind": "Pod", **orphan, "spec": spec})
    template = {"metadata": {"labels": {"a": "x"}}, "spec": spec}
    selector = {"matchLabels": {"a": "x"}}
    bare: Object = {"replicas": 1, "selector": selector, "template": template}
    metadata = {"name": "bare", "namespace": "default", "labels": {"a": "x"}}
    await client.create(
        REPLICA_SETS, {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": bare}
    )
    await eventually(lambda: "ownerReferences" in (pods.get("default", "orphan") or {}).get("metadata", {}))
    rolling = {"rollingUpdate": {"maxUnavailable": "100%"}}
    said = {**bare, "replicas": 2, "strategy": rolling, "revisionHistoryLimit": 0}
    metadata = {"name": "d", "namespace": "default"}
    await client.create(
        DEPLOYMENTS, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": said}
    )
    await eventually(lambda: (sets.get("default", "bare") or {})["spec"]["replicas"] == 2)
    containers = [{"name": "c", "image": "two"}]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    await client.patch(DEPLOYMENTS, "d", patch, namespace="default")

    def images() -> list[str]:
        going = "deletionTimestamp"
        left = [pod for pod in pods.list("default") if going not in pod["metadata"]]
        return [pod["spec"]["containers"][0]["image"] for pod in left]

    await eventually(lambda: images() == ["two", "two"])
    events = client.informer(EVENTS)
    await eventually(lambda: "ScalingReplicaSet" in [event["reason"] for event in events.list("default")])
    await components.stop()
    assert "forbidden" not in caplog.text


async def test_sets_are_updated_with_the_rights_of_their_controllers(
    client: HttpClient, components: Components, caplog: pytest.LogCaptureFixture
) -> None:
    await components.start()
    accounts, pods = client.informer(SERVICE_ACCOUNTS), client.informer(PODS)
    await eventually(lambda: accounts.get("default", "default"))
    await client.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    status = {"allocatable": {"cpu": "4", "memory": "4Gi", "pods": "110"}, "conditions": [ready]}
    await client.patch(NODES, "n", {"status": status}, subresource="status")
    claim = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
    }
    in_parallel = {
        "podManagementPolicy": "Parallel",
        "replicas": 2,
        "volumeClaimTemplates": [claim],
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Delete"},
        "revisionHistoryLimit": 0,
    }
    for resource, more in ((STATEFUL_SETS, in_parallel), (DAEMON_SETS, {"revisionHistoryLimit": 0})):
        labels, containers = {"of": resource.kind}, [{"name": "c", "image": "one"}]
        template = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
        spec = {"selector": {"matchLabels": labels}, "template": template, **more}
        metadata = {"name": "web", "namespace": "default"}
        kind = {"apiVersion": "apps/v1", "kind": resource.kind}
        await client.create(resource, {**kind, "metadata": metadata, "spec": spec})
    await eventually(lambda: len(pods.list("default")) == 3)
    for resource in (STATEFUL_SETS, DAEMON_SETS):
        patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "two"}]}}}}
        await client.patch(resource, "web", patch, namespace="default")

    def images() -> list[str]:
        return [pod["spec"]["containers"][0]["image"] for pod in pods.list("default")]

    await eventually(lambda: images() == ["two"] * 3)
    await client.patch(STATEFUL_SETS, "web", {"spec": {"replicas": 1}}, namespace="default")
    claims = client.informer(PERSISTENT_VOLUME_CLAIMS)
    await eventually(lambda: len(claims.list("default")) == 1)
    await components.stop()
    assert "forbidden" not in caplog.text


async def test_jobs_run_with_the_rights_of_their_controllers(
    client: HttpClient, components: Components, caplog: pytest.LogCaptureFixture
) -> None:
    jobs, pods = (client.informer(each, namespace="default") for each in (JOBS, PODS))
    accounts = client.informer(SERVICE_ACCOUNTS)
    await components.start()
    await eventually(lambda: accounts.get("default", "default"))
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]}
    spec: Object = {"template": {"spec": pod}, "ttlSecondsAfterFinished": 0}
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j", "namespace": "default"}}
    await client.create(JOBS, {**job, "spec": spec})
    schedule = {"schedule": "@every 1s", "jobTemplate": {"spec": spec}}
    await client.create(CRON_JOBS, {**job, "kind": "CronJob", "spec": schedule})
    await eventually(lambda: len(pods.list("default")) == 2)
    for each in pods.list("default"):
        name = each["metadata"]["name"]
        await client.patch(
            PODS, name, {"status": {"phase": "Succeeded"}}, namespace="default", subresource="status"
        )
    await eventually(lambda: not jobs.list("default") and not pods.list("default"))
    await components.stop()
    assert "forbidden" not in caplog.text


async def test_autoscaling_works_with_the_rights_of_its_controller(
    client: HttpClient, components: Components, caplog: pytest.LogCaptureFixture
) -> None:
    deployments, events = client.informer(DEPLOYMENTS), client.informer(EVENTS)
    await components.start()
    template = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": template}
    metadata = {"name": "web", "namespace": "default"}
    await client.create(
        DEPLOYMENTS, {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
    )
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    await client.create(
        HORIZONTAL_POD_AUTOSCALERS,
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": metadata,
            "spec": {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 3},
        },
    )
    await eventually(lambda: (deployments.get("default", "web") or {})["spec"]["replicas"] == 2)
    fewer = {"spec": {"minReplicas": 1}}  # now it needs metrics, and has none
    await client.patch(HORIZONTAL_POD_AUTOSCALERS, "web", fewer, namespace="default")
    await eventually(lambda: "FailedGetResourceMetric" in [each["reason"] for each in events.list("default")])
    await components.stop()
    assert "forbidden" not in caplog.text


async def test_custom_resources_are_collected_as_they_come_and_go(
    client: HttpClient, components: Components
) -> None:
    await components.start()
    widgets = Resource("example.com", "v1", "widgets", "Widget")
    definitions = client.informer(CUSTOM_RESOURCE_DEFINITIONS)
    await client.create(CUSTOM_RESOURCE_DEFINITIONS, definition())
    await eventually(lambda: any(conditions.is_true(each, "Established") for each in definitions.list()))
    both = [await client.create(CONFIGMAPS, config_map(name)) for name in ("stays", "goes")]
    references = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": each["metadata"]["name"], "uid": meta.uid(each)}
        for each in both
    ]
    own = {"name": "w", "namespace": "default", "ownerReferences": references}
    child = await client.create(widgets, {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": own})
    grandchild = config_map("grandchild")
    reference = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": meta.uid(child)}
    grandchild["metadata"]["ownerReferences"] = [reference]
    await client.create(CONFIGMAPS, grandchild)
    await client.delete(CONFIGMAPS, "goes", namespace="default")
    found = client.informer(widgets)
    await eventually(lambda: [len(each["metadata"]["ownerReferences"]) for each in found.list()] == [1])
    await client.delete(CUSTOM_RESOURCE_DEFINITIONS, "widgets.example.com")
    left = client.informer(CONFIGMAPS, namespace="default")
    await eventually(lambda: {meta.name(each) for each in left.list()} <= {"kube-root-ca.crt", "stays"})
    client.drop_informers(widgets)


async def test_a_job_makes_no_pod_too_many_though_caches_lag(
    client: HttpClient, components: Components
) -> None:
    jobs, pods = (client.informer(each, namespace="default") for each in (JOBS, PODS))
    accounts = client.informer(SERVICE_ACCOUNTS)
    await components.start()
    await eventually(lambda: accounts.get("default", "default"))
    pod = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "busybox"}]}
    spec = {"completions": 30, "parallelism": 4, "template": {"spec": pod}}
    metadata = {"name": "j", "namespace": "default"}
    await client.create(JOBS, {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})
    ended: set[str] = set()
    while len(ended) < 30:
        await eventually(lambda: {each["metadata"]["name"] for each in pods.list("default")} - ended)
        name = next(iter({each["metadata"]["name"] for each in pods.list("default")} - ended))
        ended.add(name)
        done = {"status": {"phase": "Succeeded"}}
        await client.patch(PODS, name, done, namespace="default", subresource="status")
    await eventually(lambda: "completionTime" in (jobs.get("default", "j") or {}).get("status", {}))
    assert len((await client.list(PODS, namespace="default")).items) == 30
    assert (await client.get(JOBS, "j", namespace="default"))["status"]["succeeded"] == 30


async def test_informers_of_metadata_hold_no_more_and_share_those_that_do(client: HttpClient) -> None:
    await client.create(CONFIGMAPS, config_map(x="1"))
    slim = client.informer(CONFIGMAPS, metadata_only=True)
    await slim.wait_synced()
    held = slim.get("default", "a")
    assert held is not None
    assert "data" not in held
    assert "managedFields" not in held["metadata"]
    await client.patch(CONFIGMAPS, "a", {"metadata": {"labels": {"x": "y"}}}, namespace="default")
    await eventually(lambda: meta.labels(slim.get("default", "a") or {}) == {"x": "y"})
    whole = client.informer(CONFIGMAPS)
    assert whole is not slim
    assert client.informer(CONFIGMAPS, metadata_only=True) is whole
