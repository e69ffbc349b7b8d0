"""The default roles and bindings: what they are, and how what is stored is reconciled with them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.objects.clock import FakeClock
from server.auth.policy.defaults import defaults
from server.auth.policy.reconcile import reconcile
from server.registry.admission import AdmitAll
from server.registry.context import SYSTEM, RequestContext
from server.registry.kind import Kind
from server.registry.kinds import Kinds
from server.registry.registry import Registry
from server.storage import Store

ROLES = "/apis/rbac.authorization.k8s.io/v1/clusterroles"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


def test_every_default_binding_names_a_default_role() -> None:
    made = list(defaults())
    roles = {(each.plural, each.namespace, each.name) for each in made}
    for each in made:
        if "roleRef" in each.obj:
            role = each.obj["roleRef"]
            place = ("roles", each.namespace) if role["kind"] == "Role" else ("clusterroles", "")
            assert (*place, role["name"]) in roles
    assert len(roles) == len(made)


async def test_a_new_cluster_has_them_all(api: Any) -> None:
    stored = {item["metadata"]["name"]: item for item in (await api.get(ROLES)).json["items"]}
    assert set(stored) == {each.name for each in defaults() if each.plural == "clusterroles"}
    admin = stored["cluster-admin"]
    assert admin["rules"] == [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ]
    assert admin["metadata"]["labels"] == {"kubernetes.io/bootstrapping": "rbac-defaults"}
    assert admin["metadata"]["annotations"] == {"rbac.authorization.kubernetes.io/autoupdate": "true"}
    assert stored["edit"]["aggregationRule"] == {
        "clusterRoleSelectors": [{"matchLabels": {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}}]
    }
    assert stored["edit"]["rules"] is None
    reader = "/apis/rbac.authorization.k8s.io/v1/namespaces/kube-system/rolebindings"
    names = [item["metadata"]["name"] for item in (await api.get(reader)).json["items"]]
    assert "system::leader-locking-kube-scheduler" in names


async def test_the_hook_is_a_health_check(api: Any) -> None:
    answer = await api.get("/readyz/poststarthook/rbac/bootstrap-roles")
    assert (answer.status, answer.body) == (200, b"ok")


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    store = await Store.open(f"sqlite:///{tmp_path}/test.db", clock=FakeClock())
    registry = Registry(store, FakeClock(), AdmitAll())
    await reconcile(registry)
    yield registry
    await store.close()


def kind(plural: str) -> Kind:
    found = Kinds().lookup("rbac.authorization.k8s.io", "v1", plural)
    assert found is not None
    return found


async def changed(registry: Registry, plural: str, name: str, **content: Any) -> None:
    obj = (await registry.get(kind(plural), "", name)).copy()
    obj["metadata"]["annotations"] |= content.pop("annotations", {})
    await registry.update(RequestContext(SYSTEM), kind(plural), "", name, obj | content)


async def found(registry: Registry, plural: str, name: str) -> Any:
    return (await registry.get(kind(plural), "", name)).obj


MINE = {"verbs": ["get"], "apiGroups": [""], "resources": ["mine"]}


async def test_what_is_missing_comes_back_and_what_was_added_stays(registry: Registry) -> None:
    me = {"kind": "User", "name": "me", "apiGroup": "rbac.authorization.k8s.io"}
    await changed(registry, "clusterroles", "system:basic-user", rules=[MINE])
    await changed(registry, "clusterrolebindings", "system:basic-user", subjects=[me])
    mine = {"clusterRoleSelectors": [{"matchLabels": {"mine": "true"}}]}
    await changed(registry, "clusterroles", "edit", aggregationRule=mine)
    await reconcile(registry)
    assert len((await found(registry, "clusterroles", "system:basic-user"))["rules"]) == 4
    subjects = (await found(registry, "clusterrolebindings", "system:basic-user"))["subjects"]
    assert [each["name"] for each in subjects] == ["me", "system:authenticated"]
    selectors = (await found(registry, "clusterroles", "edit"))["aggregationRule"]["clusterRoleSelectors"]
    assert [[*each["matchLabels"]] for each in selectors] == [
        ["mine"],
        ["rbac.authorization.k8s.io/aggregate-to-edit"],
    ]


async def test_what_is_protected_is_left_alone(registry: Registry) -> None:
    off = {"rbac.authorization.kubernetes.io/autoupdate": "false"}
    await changed(registry, "clusterroles", "system:basic-user", rules=[MINE], annotations=off)
    await reconcile(registry)
    assert (await found(registry, "clusterroles", "system:basic-user"))["rules"] == [MINE]


async def test_a_binding_to_another_role_is_made_anew(registry: Registry) -> None:
    name, bindings = "system:kube-dns", kind("clusterrolebindings")
    binding = (await registry.get(bindings, "", name)).copy()
    await registry.delete(RequestContext(SYSTEM), bindings, "", name)
    for key in ("resourceVersion", "uid"):
        del binding["metadata"][key]
    binding["roleRef"]["name"] = "cluster-admin"
    await registry.create(RequestContext(SYSTEM), bindings, "", binding)
    await reconcile(registry)
    assert (await found(registry, "clusterrolebindings", name))["roleRef"]["name"] == name


async def test_a_second_start_writes_nothing(registry: Registry) -> None:
    before = (await registry.list(kind("clusterroles"), "")).revision
    await reconcile(registry)
    assert (await registry.list(kind("clusterroles"), "")).revision == before
