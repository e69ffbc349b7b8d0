"""Server-side apply through the registry, and managedFields of every other write."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.objects import errors
from kubeling.objects.clock import FakeClock
from server.registry.admission import AdmitAll
from server.registry.context import SYSTEM, RequestContext, UserInfo
from server.registry.kind import Kind
from server.registry.kinds import Kinds
from server.registry.options import APPLY_PATCH, MERGE_PATCH, Patch
from server.registry.registry import Registry
from server.storage import Store


def kind(plural: str, group: str = "", version: str = "v1") -> Kind:
    found = Kinds().lookup(group, version, plural)
    assert found is not None
    return found


CONFIG_MAPS, PODS, SERVICES = kind("configmaps"), kind("pods"), kind("services")
DEPLOYMENTS = kind("deployments", "apps")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await Store.open(f"sqlite:///{tmp_path}/test.db", clock=FakeClock())
    yield opened
    await opened.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def registry(store: Store, clock: FakeClock) -> Registry:
    return Registry(store, clock, AdmitAll())


def by(manager: str, **settings: Any) -> RequestContext:
    return RequestContext(SYSTEM, field_manager=manager, **settings)


def config_map(name: str = "a", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


def deployment(replicas: int | None = 1, **container: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"app": "a"}},
        "template": {
            "metadata": {"labels": {"app": "a"}},
            "spec": {"containers": [{"name": "app", "image": "one", **container}]},
        },
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec}


class Applier:
    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    async def __call__(
        self,
        config: Any,
        manager: str = "applier",
        *,
        of: Kind | None = None,
        force: bool = False,
        subresource: str = "",
        **settings: Any,
    ) -> Any:
        of = of or {"ConfigMap": CONFIG_MAPS, "Deployment": DEPLOYMENTS, "Service": SERVICES}[config["kind"]]
        result = await self.registry.patch(
            by(manager, **settings),
            of,
            "default",
            "a",
            Patch(APPLY_PATCH, config, force=force),
            subresource=subresource,
        )
        return result.record.obj

    async def merge(self, of: Kind, patch: Any, manager: str = "editor", subresource: str = "") -> Any:
        change = Patch(MERGE_PATCH, patch)
        result = await self.registry.patch(by(manager), of, "default", "a", change, subresource=subresource)
        return result.record.obj


@pytest.fixture
def apply(registry: Registry) -> Applier:
    return Applier(registry)


def owners(obj: Any) -> dict[tuple[str, str], Any]:
    """The sets of fields by manager and operation."""
    entries = obj["metadata"].get("managedFields") or []
    return {(entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in entries}


async def test_a_configuration_creates_the_object_that_is_not_there(apply: Applier) -> None:
    made = await apply(config_map(a="1"))
    assert made["data"] == {"a": "1"}
    assert made["metadata"]["managedFields"] == [
        {
            "manager": "applier",
            "operation": "Apply",
            "apiVersion": "v1",
            "time": "2026-01-01T00:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {"f:a": {}}},
        }
    ]


async def test_the_same_configuration_again_writes_nothing(apply: Applier, clock: FakeClock) -> None:
    first = await apply(deployment())
    await clock.advance(60)
    assert await apply(deployment()) == first


async def test_what_is_not_applied_any_more_goes(apply: Applier) -> None:
    await apply(config_map(a="1", b="2"))
    changed = await apply(config_map(a="1"))
    assert changed["data"] == {"a": "1"}
    assert owners(changed) == {("applier", "Apply"): {"f:data": {"f:a": {}}}}


async def test_what_somebody_else_applies_as_well_stays(apply: Applier) -> None:
    await apply(config_map(a="1", b="2"))
    await apply(config_map(b="2"), "other")
    changed = await apply(config_map(a="1"))
    assert changed["data"] == {"a": "1", "b": "2"}
    assert owners(changed)["other", "Apply"] == {"f:data": {"f:b": {}}}


async def test_a_different_value_of_somebody_elses_field_is_a_conflict(apply: Applier) -> None:
    await apply(deployment(replicas=1))
    with pytest.raises(errors.Conflict) as refused:
        await apply(deployment(replicas=2), "other")
    assert refused.value.message == 'Apply failed with 1 conflict: conflict with "applier": .spec.replicas'
    assert refused.value.details == {
        "causes": [
            {
                "reason": "FieldManagerConflict",
                "message": 'conflict with "applier"',
                "field": ".spec.replicas",
            }
        ]
    }


async def test_several_conflicts_are_listed_by_manager(apply: Applier) -> None:
    await apply(deployment(replicas=1, image="one"))
    await apply.merge(DEPLOYMENTS, {"spec": {"paused": True}})
    wanted = deployment(replicas=2, image="two")
    wanted["spec"]["paused"] = False
    with pytest.raises(errors.Conflict) as refused:
        await apply(wanted, "other")
    assert refused.value.message == (
        'Apply failed with 3 conflicts: conflicts with "applier":\n'
        "- .spec.replicas\n"
        '- .spec.template.spec.containers[name="app"].image\n'
        'conflicts with "editor" using apps/v1:\n'
        "- .spec.paused"
    )


async def test_force_takes_the_fields_over(apply: Applier) -> None:
    await apply(config_map(a="1", b="1"))
    changed = await apply(config_map(a="2"), "other", force=True)
    assert changed["data"] == {"a": "2", "b": "1"}
    assert owners(changed) == {
        ("applier", "Apply"): {"f:data": {"f:b": {}}},
        ("other", "Apply"): {"f:data": {"f:a": {}}},
    }


async def test_the_same_value_is_shared_without_a_conflict(apply: Applier) -> None:
    await apply(config_map(a="1"))
    changed = await apply(config_map(a="1"), "other")
    assert owners(changed) == {
        ("applier", "Apply"): {"f:data": {"f:a": {}}},
        ("other", "Apply"): {"f:data": {"f:a": {}}},
    }


async def test_an_update_takes_fields_without_asking(apply: Applier) -> None:
    await apply(config_map(a="1", b="1"))
    changed = await apply.merge(CONFIG_MAPS, {"data": {"a": "2"}})
    assert owners(changed) == {
        ("applier", "Apply"): {"f:data": {"f:b": {}}},
        ("editor", "Update"): {"f:data": {"f:a": {}}},
    }


async def test_items_of_a_keyed_list_have_owners_of_their_own(apply: Applier) -> None:
    await apply(deployment())
    more = deployment()
    more["spec"]["template"]["spec"]["containers"] = [{"name": "side", "image": "s"}]
    changed = await apply(more, "other")
    containers = changed["spec"]["template"]["spec"]["containers"]
    assert [each["name"] for each in containers] == ["side", "app"] or [
        each["name"] for each in containers
    ] == ["app", "side"]
    less = deployment()
    changed = await apply(
        {**less, "spec": {key: less["spec"][key] for key in ("selector",)} | {"replicas": 1}}, "other"
    )
    assert [each["name"] for each in changed["spec"]["template"]["spec"]["containers"]] == ["app"]


async def test_a_service_port_is_known_by_its_number_and_the_default_protocol(apply: Applier) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a"},
        "spec": {"clusterIP": "None", "ports": [{"port": 80}], "selector": {"a": "b"}},
    }
    made = await apply(service)
    ports = owners(made)["applier", "Apply"]["f:spec"]["f:ports"]
    assert ports == {'k:{"port":80,"protocol":"TCP"}': {".": {}, "f:port": {}}}


async def test_a_configuration_of_unknown_fields_is_refused(apply: Applier) -> None:
    wrong = deployment()
    wrong["spec"]["foo"] = 1
    with pytest.raises(errors.ApiError) as refused:
        await apply(wrong)
    assert refused.value.code == 500
    assert refused.value.message == (
        "failed to create typed patch object (/a; apps/v1, Kind=Deployment):"
        " .spec.foo: field not declared in schema"
    )


async def test_a_list_key_that_is_missing_or_stands_twice_is_refused(apply: Applier) -> None:
    missing = deployment(env=[{"value": "1"}])
    with pytest.raises(
        errors.ApiError, match="element 0: associative list with keys has an element that"
    ) as no:
        await apply(missing)
    assert 'omits key field "name" (and doesn\'t have default value)' in no.value.message
    twice = deployment(env=[{"name": "A"}, {"name": "A"}])
    with pytest.raises(errors.ApiError, match=r"env: duplicate entries for key \[name=\"A\"\]"):
        await apply(twice)


async def test_managed_fields_cannot_be_applied(apply: Applier) -> None:
    wrong = config_map(a="1")
    wrong["metadata"]["managedFields"] = []
    with pytest.raises(errors.BadRequest, match="managedFields must be nil"):
        await apply(wrong)


async def test_another_type_than_the_requests_is_refused(apply: Applier) -> None:
    with pytest.raises(errors.BadRequest, match="invalid object type: v1/v2, Kind=ConfigMap"):
        await apply({**config_map(), "apiVersion": "v1/v2"})


async def test_an_unowned_object_gets_an_owner_before_the_first_apply(
    apply: Applier, registry: Registry
) -> None:
    await registry.create(by("maker"), CONFIG_MAPS, "default", config_map(a="1", b="1"))
    await apply.merge(CONFIG_MAPS, {"metadata": {"managedFields": [{}]}})
    changed = await apply(config_map(a="1"))
    assert owners(changed) == {
        ("applier", "Apply"): {"f:data": {"f:a": {}}},
        ("before-first-apply", "Update"): {"f:data": {".": {}, "f:a": {}, "f:b": {}}},
    }


async def test_kubectl_takes_over_what_it_applied_on_the_clients_side(
    apply: Applier, registry: Registry
) -> None:
    obj = config_map(a="1", b="1")
    last = '{"apiVersion":"v1","data":{"a":"1"},"kind":"ConfigMap","metadata":{"name":"a"}}\n'
    obj["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": last}
    await registry.create(by("kubectl-client-side-apply"), CONFIG_MAPS, "default", obj)
    with pytest.raises(errors.Conflict, match=r"using v1: .data.b$"):
        await apply(config_map(a="2", b="2"), "kubectl")
    changed = await apply(config_map(a="2"), "kubectl")
    assert changed["data"] == {"a": "2", "b": "1"}
    annotation = changed["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"]
    assert annotation == last.replace('"1"', '"2"')


async def test_status_is_applied_and_owned_through_its_subresource(apply: Applier) -> None:
    await apply(deployment())
    status = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a"},
        "status": {"replicas": 3, "conditions": [{"type": "X", "status": "True"}]},
    }
    changed = await apply(status, "controller", subresource="status")
    assert changed["status"]["replicas"] == 3
    entry = next(each for each in changed["metadata"]["managedFields"] if each["manager"] == "controller")
    assert entry["subresource"] == "status"
    assert entry["fieldsV1"] == {
        "f:status": {
            "f:conditions": {'k:{"type":"X"}': {".": {}, "f:status": {}, "f:type": {}}},
            "f:replicas": {},
        }
    }
    with pytest.raises(errors.Conflict, match=r'"controller" with subresource "status": \.status\.replicas'):
        await apply(
            {**status, "status": {"replicas": 4}}, "other", subresource="status", field_validation="Ignore"
        )


async def test_the_status_of_nothing_cannot_be_applied(apply: Applier) -> None:
    with pytest.raises(errors.NotFound):
        await apply(deployment(), subresource="status")


async def test_a_dry_run_applies_nothing(apply: Applier, registry: Registry) -> None:
    shown = await apply(config_map(a="1"), dry_run=True)
    assert shown["data"] == {"a": "1"}
    with pytest.raises(errors.NotFound):
        await registry.get(CONFIG_MAPS, "default", "a")


async def test_creation_owns_what_was_sent_and_defaulted_but_no_structs_of_go(registry: Registry) -> None:
    record = await registry.create(by("maker"), DEPLOYMENTS, "default", deployment())
    spec = owners(record.obj)["maker", "Update"]["f:spec"]
    assert spec["f:strategy"]["f:rollingUpdate"] == {".": {}, "f:maxSurge": {}, "f:maxUnavailable": {}}
    assert "." not in spec["f:strategy"]
    assert spec["f:selector"] == {}
    template = spec["f:template"]
    assert template["f:metadata"] == {"f:labels": {".": {}, "f:app": {}}}
    assert list(template["f:spec"]["f:containers"]) == ['k:{"name":"app"}']


async def test_an_update_that_changes_nothing_writes_nothing(registry: Registry, clock: FakeClock) -> None:
    record = await registry.create(by("maker"), CONFIG_MAPS, "default", config_map(a="1"))
    await clock.advance(5)
    result = await registry.update(by("maker"), CONFIG_MAPS, "default", "a", record.copy())
    assert result.record.revision == record.revision


async def test_the_oldest_of_many_updaters_are_merged(apply: Applier, clock: FakeClock) -> None:
    await apply(config_map(a="0"))
    for number in range(12):
        await clock.advance(1)
        changed = await apply.merge(CONFIG_MAPS, {"data": {f"k{number}": "1"}}, f"editor-{number}")
    managers = [entry["manager"] for entry in changed["metadata"]["managedFields"]]
    assert managers == ["applier", "ancient-changes", *(f"editor-{number}" for number in range(3, 12))]
    assert owners(changed)["ancient-changes", "Update"] == {"f:data": {"f:k0": {}, "f:k1": {}, "f:k2": {}}}


async def test_entries_that_a_client_changed_are_taken_and_broken_ones_are_not(
    registry: Registry, apply: Applier
) -> None:
    record = await registry.create(by("maker"), CONFIG_MAPS, "default", config_map(a="1"))
    renamed = [{**record.obj["metadata"]["managedFields"][0], "manager": "renamed"}]
    changed = await apply.merge(CONFIG_MAPS, {"metadata": {"managedFields": renamed}})
    assert list(owners(changed)) == [("renamed", "Update")]
    broken = [{**renamed[0], "fieldsV1": {"x": {}}}]
    kept = await apply.merge(CONFIG_MAPS, {"metadata": {"managedFields": broken}})
    assert kept["metadata"]["managedFields"] == renamed


async def test_a_manager_that_cannot_be_printed_is_refused(apply: Applier, registry: Registry) -> None:
    record = await registry.create(by("maker"), CONFIG_MAPS, "default", config_map(a="1"))
    wrong = [{**record.obj["metadata"]["managedFields"][0], "manager": "a\u0007"}]
    with pytest.raises(
        errors.Invalid, match=r"metadata.managedFields\[0\].manager: Invalid value: .*U\+0007"
    ):
        await apply.merge(CONFIG_MAPS, {"metadata": {"managedFields": wrong}})


async def test_entries_of_a_version_that_is_gone_are_dropped(apply: Applier, registry: Registry) -> None:
    record = await registry.create(by("maker"), DEPLOYMENTS, "default", deployment())
    old = [{**record.obj["metadata"]["managedFields"][0], "apiVersion": "apps/v1beta1", "manager": "old"}]
    changed = await apply.merge(DEPLOYMENTS, {"metadata": {"managedFields": old}, "spec": {"paused": True}})
    assert list(owners(changed)) == [("editor", "Update")]


SCALE = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "a"}, "spec": {"replicas": 3}}


async def test_scaling_owns_the_replicas_of_the_object(apply: Applier, registry: Registry) -> None:
    await apply(deployment(replicas=1))
    await registry.update(by("scaler"), DEPLOYMENTS, "default", "a", dict(SCALE), subresource="scale")
    obj = (await registry.get(DEPLOYMENTS, "default", "a")).obj
    assert obj["spec"]["replicas"] == 3
    entry = next(each for each in obj["metadata"]["managedFields"] if each["manager"] == "scaler")
    assert (entry["apiVersion"], entry["subresource"]) == ("apps/v1", "scale")
    assert entry["fieldsV1"] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in owners(obj)["applier", "Apply"]["f:spec"]
    with pytest.raises(errors.Conflict, match='"scaler" with subresource "scale" using apps/v1'):
        await apply(deployment(replicas=1))


async def test_a_scale_is_applied_with_conflicts_on_the_objects_replicas(
    apply: Applier, registry: Registry
) -> None:
    await apply(deployment(replicas=1))
    with pytest.raises(errors.Conflict, match=r'conflict with "applier": \.spec\.replicas'):
        await apply(SCALE, "scaler", of=DEPLOYMENTS, subresource="scale")
    scale = await apply(SCALE, "scaler", of=DEPLOYMENTS, subresource="scale", force=True)
    assert scale["spec"] == {"replicas": 3}
    obj = (await registry.get(DEPLOYMENTS, "default", "a")).obj
    assert owners(obj)["scaler", "Apply"] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in owners(obj)["applier", "Apply"]["f:spec"]


def autoscaler(version: str, **spec: Any) -> dict[str, Any]:
    target = {"kind": "Deployment", "name": "x", "apiVersion": "apps/v1"}
    return {
        "apiVersion": f"autoscaling/{version}",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "a"},
        "spec": {"maxReplicas": 3, "scaleTargetRef": target, **spec},
    }


async def test_owners_through_another_version_are_asked_as_well(registry: Registry) -> None:
    autoscalers = kind("horizontalpodautoscalers", "autoscaling", "v2")
    half = autoscaler("v1", targetCPUUtilizationPercentage=50)
    await registry.create(by("maker"), autoscalers, "default", half, version="v1")
    target = {"type": "Utilization", "averageUtilization": 70}
    metrics = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
    change = Patch(APPLY_PATCH, autoscaler("v2", metrics=metrics))
    with pytest.raises(errors.Conflict) as refused:
        await registry.patch(by("applier"), autoscalers, "default", "a", change, version="v2")
    assert refused.value.message == (
        'Apply failed with 1 conflict: conflict with "maker" using autoscaling/v1:'
        " .spec.targetCPUUtilizationPercentage"
    )


@pytest.mark.parametrize(
    ("agent", "manager"),
    [
        ("kubectl/v1.33 (linux)", "kubectl"),
        ("", "unknown"),
        ("a\tb", "ab"),
        ("é" * 100, "é" * 64),
    ],
)
async def test_the_manager_is_what_can_be_printed_of_the_user_agent(
    registry: Registry, agent: str, manager: str
) -> None:
    context = RequestContext(UserInfo("bob"), user_agent=agent)
    record = await registry.create(context, CONFIG_MAPS, "default", config_map(a="1"))
    assert list(owners(record.obj)) == [(manager, "Update")]


async def test_what_the_server_writes_itself_is_its_own(registry: Registry) -> None:
    record = await registry.create(RequestContext(SYSTEM), CONFIG_MAPS, "default", config_map(a="1"))
    assert list(owners(record.obj)) == [("kube-apiserver", "Update")]
