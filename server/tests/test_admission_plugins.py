"""Each admission plug-in on its own, over a few stored objects."""

from collections.abc import Sequence
from typing import Any

import orjson
import pytest

from kubeling.objects.errors import Forbidden, NotFound
from server.admission.chain import Chain
from server.admission.default_tolerations import DefaultTolerationSeconds
from server.admission.namespace_lifecycle import NamespaceLifecycle
from server.admission.priority import Priority
from server.admission.service_account import ServiceAccount
from server.registry.admission import Attributes
from server.registry.context import SYSTEM, RequestContext, UserInfo
from server.registry.kinds import Kinds
from server.storage import Record


class Objects:
    """Stored objects by resource, namespace and name."""

    def __init__(self, **objects: dict[str, Any]) -> None:
        self._records = {}
        for resource, by_name in objects.items():
            for key, obj in by_name.items():
                namespace, _, name = key.rpartition("/")
                record = Record(resource, namespace, name, "u", 1, 1, orjson.dumps(obj))
                self._records[resource, namespace, name] = record

    def get(self, resource: str, namespace: str, name: str) -> Record | None:
        return self._records.get((resource, namespace, name))

    def list(self, resource: str, namespace: str | None = None) -> Sequence[Record]:
        return [record for (of, _, _), record in self._records.items() if of == resource]


def pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p", "namespace": "a"}, "spec": spec}


def attributes(
    obj: Any = None, *, plural: str = "pods", operation: str = "CREATE", user: UserInfo = SYSTEM, **rest: Any
) -> Attributes:
    group = "coordination.k8s.io" if plural == "leases" else ""
    kind = Kinds().lookup(group, "v1", plural)
    assert kind is not None
    rest = {"namespace": "a", "name": "p"} | rest
    return Attributes(RequestContext(user), kind, "v1", operation, obj=obj, **rest)


ACTIVE = {"metadata": {"name": "a"}, "status": {"phase": "Active"}}


def test_nothing_is_created_in_a_missing_namespace() -> None:
    plugin = NamespaceLifecycle(Objects(namespaces={"a": ACTIVE}))
    plugin.mutate(attributes(pod()))
    with pytest.raises(NotFound, match='namespaces "b" not found'):
        plugin.mutate(attributes(pod(), namespace="b"))


def test_nothing_is_created_in_a_namespace_that_is_going() -> None:
    going = {"metadata": {"name": "a", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    with pytest.raises(Forbidden, match="because it is being terminated") as caught:
        NamespaceLifecycle(Objects(namespaces={"a": going})).mutate(attributes(pod()))
    assert (caught.value.details or {})["causes"][0]["reason"] == "NamespaceTerminating"


def test_system_namespaces_stay() -> None:
    plugin = NamespaceLifecycle(Objects())
    with pytest.raises(
        Forbidden, match='namespaces "kube-system" is forbidden: this namespace may not be deleted'
    ):
        plugin.mutate(attributes(plural="namespaces", operation="DELETE", name="kube-system"))
    plugin.mutate(attributes(plural="namespaces", operation="DELETE", name="mine"))


def test_a_pod_runs_as_the_default_account_with_its_pull_secrets() -> None:
    account = {"metadata": {"name": "default"}, "imagePullSecrets": [{"name": "s"}]}
    obj = pod()
    ServiceAccount(Objects(serviceaccounts={"a/default": account})).mutate(attributes(obj))
    assert obj["spec"] == {
        "serviceAccountName": "default",
        "serviceAccount": "default",
        "imagePullSecrets": [{"name": "s"}],
    }


def test_a_pods_account_must_exist() -> None:
    with pytest.raises(Forbidden, match='error looking up service account a/x: serviceaccount "x" not found'):
        ServiceAccount(Objects()).mutate(attributes(pod(serviceAccountName="x")))


def test_a_lost_node_is_tolerated_for_five_minutes() -> None:
    obj = pod(
        tolerations=[{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}]
    )
    DefaultTolerationSeconds().mutate(attributes(obj))
    assert [each["key"] for each in obj["spec"]["tolerations"]] == [
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    ]
    assert obj["spec"]["tolerations"][1]["tolerationSeconds"] == 300


def test_who_tolerates_everything_gets_nothing_more() -> None:
    obj = pod(tolerations=[{"operator": "Exists"}])
    DefaultTolerationSeconds().mutate(attributes(obj))
    assert len(obj["spec"]["tolerations"]) == 1


CLASSES = {
    "high": {"metadata": {"name": "high"}, "value": 1000, "preemptionPolicy": "Never"},
    "usual": {"metadata": {"name": "usual"}, "value": 5, "globalDefault": True},
}


def priorities(**classes: Any) -> Priority:
    return Priority(Objects(**{"priorityclasses.scheduling.k8s.io": classes}))


@pytest.mark.parametrize(
    ("spec", "classes", "expected"),
    [
        ({}, {}, (None, 0, "PreemptLowerPriority")),
        ({}, CLASSES, ("usual", 5, "PreemptLowerPriority")),
        ({"priorityClassName": "high"}, CLASSES, ("high", 1000, "Never")),
        (
            {"priorityClassName": "system-node-critical"},
            {},
            ("system-node-critical", 2000001000, "PreemptLowerPriority"),
        ),
    ],
)
def test_a_pods_priority_comes_from_its_class(spec: Any, classes: Any, expected: Any) -> None:
    obj = pod(**spec)
    priorities(**classes).mutate(attributes(obj))
    found = obj["spec"]
    assert (found.get("priorityClassName"), found["priority"], found["preemptionPolicy"]) == expected


def test_a_priority_of_ones_own_is_refused() -> None:
    with pytest.raises(
        Forbidden, match=r"the integer value of priority \(7\) must not be provided in pod spec"
    ):
        priorities().mutate(attributes(pod(priority=7)))
    with pytest.raises(Forbidden, match="no PriorityClass with name x was found"):
        priorities().mutate(attributes(pod(priorityClassName="x")))


async def test_a_chain_runs_its_plugins_in_order() -> None:
    chain = Chain([ServiceAccount(Objects(serviceaccounts={"a/default": {}})), DefaultTolerationSeconds()])
    obj = pod()
    await chain.mutate(attributes(obj))
    await chain.validate(attributes(obj))
    assert list(obj["spec"]) == ["serviceAccountName", "serviceAccount", "tolerations"]


def test_tolerations_that_were_added_stay_when_all_are_sent_again() -> None:
    plugin = DefaultTolerationSeconds()
    kind = attributes(pod()).kind
    assert plugin.concerns(kind, "UPDATE", "")
    assert not plugin.concerns(kind, "UPDATE", "status")
