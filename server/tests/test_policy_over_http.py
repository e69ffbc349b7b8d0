"""Quotas and budgets are counted over HTTP with nothing but default roles, custom kinds included."""

import pytest

from kubeling.client import HttpClient
from kubeling.client.resources import (
    CUSTOM_RESOURCE_DEFINITIONS,
    POD_DISRUPTION_BUDGETS,
    PODS,
    RESOURCE_QUOTAS,
    Resource,
)
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.tests.over_http import Components, client, components, eventually, server
from server.tests.test_custom_api import definition, version

__all__ = ["client", "components", "server"]

WIDGETS = Resource("example.com", "v1", "widgets", "Widget")


async def create(client: HttpClient, resource: Resource, obj: Object) -> Object:
    own = {**obj["metadata"], "namespace": "default"}
    kind = {"apiVersion": resource.api_version, "kind": resource.kind}
    return await client.create(resource, {**kind, **obj, "metadata": own})


async def establish(client: HttpClient) -> None:
    paths = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    wanted = version("v1", subresources={"scale": paths, "status": {}})
    wanted["schema"] = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    await client.create(CUSTOM_RESOURCE_DEFINITIONS, definition(wanted))
    definitions = client.informer(CUSTOM_RESOURCE_DEFINITIONS)

    def established() -> bool:
        (found,) = definitions.list() or [{}]
        conditions = (found.get("status") or {}).get("conditions") or ()
        return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)

    await eventually(established)


async def test_quotas_and_budgets_work_with_their_accounts_rights(
    client: HttpClient, components: Components, caplog: pytest.LogCaptureFixture
) -> None:
    await components.start()
    await establish(client)
    quotas, budgets = client.informer(RESOURCE_QUOTAS), client.informer(POD_DISRUPTION_BUDGETS)
    hard = {"count/widgets.example.com": "2", "pods": "3"}
    await create(client, RESOURCE_QUOTAS, {"metadata": {"name": "q"}, "spec": {"hard": hard}})

    def used() -> Object:
        return dict(((quotas.get("default", "q") or {}).get("status") or {}).get("used") or {})

    await eventually(lambda: used() == {"count/widgets.example.com": "0", "pods": "0"})
    widget = await create(client, WIDGETS, {"metadata": {"name": "w"}, "spec": {"replicas": 4}})
    spec = {"selector": {"matchLabels": {"a": "b"}}, "maxUnavailable": "50%"}
    await create(client, POD_DISRUPTION_BUDGETS, {"metadata": {"name": "b"}, "spec": spec})
    owner = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": meta.uid(widget)}
    metadata = {"name": "p", "labels": {"a": "b"}, "ownerReferences": [{**owner, "controller": True}]}
    containers = [{"name": "c", "image": "i"}]
    await create(client, PODS, {"metadata": metadata, "spec": {"containers": containers}})

    def counted() -> tuple[int, int]:
        status = (budgets.get("default", "b") or {}).get("status") or {}
        return status.get("expectedPods", 0), status.get("desiredHealthy", 0)

    await eventually(lambda: counted() == (4, 2))
    await eventually(lambda: used() == {"count/widgets.example.com": "1", "pods": "1"})
    await client.delete(WIDGETS, "w", namespace="default", propagation_policy="Background")
    await eventually(lambda: used() == {"count/widgets.example.com": "0", "pods": "0"})
    assert "forbidden" not in caplog.text
