"""The plug-ins about default classes, storage in use, growing claims and runtime classes."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from kubeling.objects.errors import Forbidden
from server.admission.chain import Chain, Plugin
from server.admission.claim_resize import PersistentVolumeClaimResize
from server.admission.default_classes import DefaultIngressClass, DefaultStorageClass
from server.admission.priority import Priority
from server.admission.runtime_class import RuntimeClass
from server.admission.storage_protection import StorageObjectInUseProtection
from server.registry.admission import Attributes
from server.registry.context import SYSTEM, RequestContext
from server.registry.kinds import Kinds
from server.storage import Record


class Stored:
    """Cluster-scoped objects of one resource."""

    def __init__(self, resource: str, *objects: dict[str, Any]) -> None:
        self._records = [
            Record(resource, "", each["metadata"]["name"], "u", 1, 1, orjson.dumps(each)) for each in objects
        ]

    def get(self, resource: str, namespace: str, name: str) -> Record | None:
        found = (each for each in self._records if (each.resource, each.name) == (resource, name))
        return next(found, None)

    def list(self, resource: str, namespace: str | None = None) -> Sequence[Record]:
        return [each for each in self._records if each.resource == resource]


async def admitted(
    plugin: Plugin, plural: str, obj: dict[str, Any], old: dict[str, Any] | None = None, *, group: str = ""
) -> dict[str, Any]:
    kind = Kinds().lookup(group, "v1", plural)
    assert kind is not None
    operation = "UPDATE" if old else "CREATE"
    name = obj["metadata"]["name"]
    asked = Attributes(
        RequestContext(SYSTEM), kind, "v1", operation, namespace="a", name=name, obj=obj, old=old
    )
    chain = Chain([plugin])
    await chain.mutate(asked)
    await chain.validate(asked)
    return obj


def storage_class(name: str, *, created: str = "2026-01-01T00:00:00Z", **content: Any) -> dict[str, Any]:
    noted = {"storageclass.kubernetes.io/is-default-class": "true"}
    return {"metadata": {"name": name, "creationTimestamp": created, "annotations": noted}, **content}


STORAGE, RUNTIMES = "storageclasses.storage.k8s.io", "runtimeclasses.node.k8s.io"


def claim(size: str = "1Gi", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "c"},
        "spec": {"resources": {"requests": {"storage": size}}, **spec},
        "status": {"phase": "Bound"},
    }


async def test_a_claim_without_a_class_gets_the_newest_default_one() -> None:
    classes = Stored(STORAGE, storage_class("old"), storage_class("new", created="2026-01-02T00:00:00Z"))
    plugin = DefaultStorageClass(classes)
    found = await admitted(plugin, "persistentvolumeclaims", claim())
    assert found["spec"]["storageClassName"] == "new"


async def test_an_empty_class_stays_empty() -> None:
    plugin = DefaultStorageClass(Stored(STORAGE, storage_class("s")))
    found = await admitted(plugin, "persistentvolumeclaims", claim(storageClassName=""))
    assert found["spec"]["storageClassName"] == ""


async def test_an_ingress_without_a_class_gets_the_default_one() -> None:
    noted = {"ingressclass.kubernetes.io/is-default-class": "true"}
    classes = Stored("ingressclasses.networking.k8s.io", {"metadata": {"name": "i", "annotations": noted}})
    plugin, group = DefaultIngressClass(classes), "networking.k8s.io"
    plain: dict[str, Any] = {"metadata": {"name": "x"}, "spec": {}}
    assert (await admitted(plugin, "ingresses", plain, group=group))["spec"]["ingressClassName"] == "i"
    old = {"metadata": {"name": "x", "annotations": {"kubernetes.io/ingress.class": "n"}}, "spec": {}}
    assert "ingressClassName" not in (await admitted(plugin, "ingresses", old, group=group))["spec"]


async def test_storage_is_protected_from_its_start() -> None:
    plugin = StorageObjectInUseProtection()
    found = await admitted(plugin, "persistentvolumeclaims", claim())
    assert found["metadata"]["finalizers"] == ["kubernetes.io/pvc-protection"]
    volume = await admitted(plugin, "persistentvolumes", {"metadata": {"name": "v"}})
    assert volume["metadata"]["finalizers"] == ["kubernetes.io/pv-protection"]


@pytest.mark.parametrize(
    ("allowed", "phase", "message"),
    [
        (True, "Pending", "Only bound persistent volume claims can be expanded"),
        (False, "Bound", "the storageclass that provisions the pvc must support resize"),
    ],
)
async def test_a_claim_may_not_grow(allowed: bool, phase: str, message: str) -> None:
    plugin = PersistentVolumeClaimResize(Stored(STORAGE, storage_class("s", allowVolumeExpansion=allowed)))
    old = {**claim(storageClassName="s"), "status": {"phase": phase}}
    with pytest.raises(Forbidden, match=message):
        await admitted(plugin, "persistentvolumeclaims", claim("2Gi", storageClassName="s"), old)


async def test_a_bound_claim_of_an_expandable_class_grows() -> None:
    plugin = PersistentVolumeClaimResize(Stored(STORAGE, storage_class("s", allowVolumeExpansion=True)))
    old = claim(storageClassName="s")
    assert await admitted(plugin, "persistentvolumeclaims", claim("2Gi", storageClassName="s"), old)


RUNTIME: dict[str, Any] = {
    "metadata": {"name": "r"},
    "overhead": {"podFixed": {"memory": "64Mi"}},
    "scheduling": {"nodeSelector": {"k": "v"}, "tolerations": [{"key": "t", "operator": "Exists"}]},
}


async def test_a_pod_gets_what_its_runtime_class_says() -> None:
    pod: dict[str, Any] = {"metadata": {"name": "p"}, "spec": {"runtimeClassName": "r"}}
    spec = (await admitted(RuntimeClass(Stored(RUNTIMES, RUNTIME)), "pods", pod))["spec"]
    assert spec["overhead"] == {"memory": "64Mi"}
    assert spec["nodeSelector"] == {"k": "v"}
    assert spec["tolerations"] == [{"key": "t", "operator": "Exists"}]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"runtimeClassName": "x"}, 'pod rejected: RuntimeClass "x" not found'),
        ({"overhead": {"cpu": "1"}}, "Pod Overhead set without corresponding RuntimeClass"),
        ({"runtimeClassName": "r", "overhead": {"memory": "1Mi"}}, "doesn't match RuntimeClass's"),
        ({"runtimeClassName": "r", "nodeSelector": {"k": "w"}}, "conflict: runtimeClass.scheduling"),
    ],
)
async def test_a_pod_may_not_contradict_its_runtime_class(spec: dict[str, Any], message: str) -> None:
    pod = {"metadata": {"name": "p"}, "spec": spec}
    with pytest.raises(Forbidden, match=message):
        await admitted(RuntimeClass(Stored(RUNTIMES, RUNTIME)), "pods", pod)


async def test_one_priority_class_is_the_default() -> None:
    resource, group = "priorityclasses.scheduling.k8s.io", "scheduling.k8s.io"
    plugin = Priority(Stored(resource, {"metadata": {"name": "a"}, "value": 1, "globalDefault": True}))
    again = {"metadata": {"name": "b"}, "value": 2, "globalDefault": True}
    with pytest.raises(Forbidden, match="PriorityClass a is already marked as default"):
        await admitted(plugin, "priorityclasses", again, group=group)
