"""Namespaces: their status and finalizers, and how they and all that is in them go."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from conformance import customs as custom_kinds
from conformance.kubectl import Kubectl
from conformance.owners import HOLD, Owners, template
from conformance.rest import Rest
from conformance.space import Space
from conformance.waiting import eventually

Object = dict[str, Any]
NAMESPACES = "/api/v1/namespaces"


@contextmanager
def opened(rest: Rest, **metadata: Any) -> Iterator[Owners]:
    """A namespace that the test deletes."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "nsdelete-", **metadata}}
    name = rest.post(NAMESPACES, body)["metadata"]["name"]
    owners = Owners(Space(rest, name, ""))
    try:
        owners.until(lambda: owners.exists("serviceaccounts", "default"), "the namespace is set up")
        yield owners
    finally:
        rest.request("DELETE", f"{NAMESPACES}/{name}")


def _path(owners: Owners) -> str:
    return f"{NAMESPACES}/{owners.space.name}"


def _condition(owners: Owners, kind: str) -> Object:
    """As soon as it is there."""

    def probe() -> Object | None:
        found = owners.space.rest.get(_path(owners))["status"].get("conditions") or ()
        return next((each for each in found if each["type"] == kind), None)

    return eventually(probe, what=f"the namespace has the condition {kind}", every=0.05)


def _bare_pod(name: str, **metadata: Any) -> Object:
    spec = template(name)["spec"]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, **metadata}, "spec": spec}


def test_all_pods_go_with_their_namespace(virtual_rest: Rest) -> None:
    with opened(virtual_rest) as owners:
        name = owners.space.name
        owners.replication_controller("rc", replicas=3)
        owners.space.create(_bare_pod("bare"))
        virtual_rest.delete(_path(owners))
        virtual_rest.gone(_path(owners))
        assert virtual_rest.get(f"{NAMESPACES}/{name}/pods")["items"] == []
        virtual_rest.post(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        assert virtual_rest.get(f"{NAMESPACES}/{name}/pods")["items"] == []


def test_all_services_go_with_their_namespace(virtual_rest: Rest) -> None:
    with opened(virtual_rest) as owners:
        spec = {"ports": [{"port": 80}], "selector": {"a": "b"}}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": spec}
        owners.space.create(service, "services")
        virtual_rest.delete(_path(owners))
        virtual_rest.gone(_path(owners))
        assert owners.list("services") == []


def test_custom_resources_go_with_their_namespace(virtual_rest: Rest, virtual_space: Space) -> None:
    with custom_kinds.opened(virtual_rest, virtual_space.name) as customs:
        customs.establish()
        with opened(virtual_rest) as owners:
            collection = f"/apis/{customs.group}/v1/namespaces/{owners.space.name}/crontabs"
            for number in range(5):
                virtual_rest.post(collection, customs.tab(f"t{number}"))
            virtual_rest.delete(_path(owners))
            virtual_rest.gone(_path(owners))
            assert virtual_rest.get(collection)["items"] == []


def test_many_namespaces_go_side_by_side(virtual_rest: Rest) -> None:
    names = []
    for _ in range(20):
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "nsdelete-"}}
        names.append(virtual_rest.post(NAMESPACES, body)["metadata"]["name"])
    for name in names:
        virtual_rest.delete(f"{NAMESPACES}/{name}")
    for name in names:
        virtual_rest.gone(f"{NAMESPACES}/{name}")


def test_a_namespace_is_patched(virtual_rest: Rest) -> None:
    with opened(virtual_rest) as owners:
        patch = {"metadata": {"labels": {"testLabel": "testValue"}}}
        patched = virtual_rest.patch(
            _path(owners), patch, content_type="application/strategic-merge-patch+json"
        )
        assert patched["metadata"]["labels"]["testLabel"] == "testValue"


def test_the_status_of_a_namespace_is_patched_and_updated(virtual_rest: Rest) -> None:
    with opened(virtual_rest) as owners:
        path = f"{_path(owners)}/status"
        said = {"type": "StatusPatch", "status": "True", "reason": "E2E", "message": "Patched by an e2e test"}
        patched = virtual_rest.patch(path, {"status": {"conditions": [said]}})
        assert patched["status"]["conditions"][0]["reason"] == "E2E"
        found = virtual_rest.get(path)
        found["status"]["conditions"].append({**said, "type": "StatusUpdate"})
        updated = virtual_rest.put(path, found)
        assert [each["type"] for each in updated["status"]["conditions"]] == ["StatusPatch", "StatusUpdate"]
        assert updated["status"]["phase"] == "Active"


def test_a_namespace_is_updated(virtual_rest: Rest) -> None:
    with opened(virtual_rest) as owners:
        found = virtual_rest.get(_path(owners))
        found["metadata"]["labels"]["changed"] = "yes"
        updated = virtual_rest.put(_path(owners), found)
        assert updated["metadata"]["labels"]["changed"] == "yes"


def test_a_finalizer_in_the_spec_holds_a_namespace(virtual_rest: Rest) -> None:
    with opened(virtual_rest) as owners:
        found = virtual_rest.get(_path(owners))
        assert found["spec"]["finalizers"] == ["kubernetes"]
        found["spec"]["finalizers"].append("e2e.example.com/fake")
        virtual_rest.put(f"{_path(owners)}/finalize", found)
        virtual_rest.delete(_path(owners))

        def finalized() -> bool:
            left: list[str] = virtual_rest.get(_path(owners))["spec"]["finalizers"]
            return left == ["e2e.example.com/fake"]

        eventually(finalized, what="the namespace's controller is done")
        found = virtual_rest.get(_path(owners))
        assert found["status"]["phase"] == "Terminating"
        found["spec"]["finalizers"] = []
        virtual_rest.put(f"{_path(owners)}/finalize", found)
        virtual_rest.gone(_path(owners))


def test_what_remains_is_told_in_conditions(virtual_rest: Rest) -> None:
    with opened(virtual_rest) as owners:
        owners.config_map("a", finalizers=(HOLD,))
        owners.config_map("b", finalizers=(HOLD, f"{HOLD}-more"))
        virtual_rest.delete(_path(owners))
        remaining = _condition(owners, "NamespaceContentRemaining")
        assert (remaining["status"], remaining["reason"]) == ("True", "SomeResourcesRemain")
        expected = "Some resources are remaining: configmaps. has 2 resource instances"
        assert remaining["message"] == expected
        held = _condition(owners, "NamespaceFinalizersRemaining")
        assert (held["status"], held["reason"]) == ("True", "SomeFinalizersRemain")
        expected = "Some content in the namespace has finalizers remaining:"
        assert held["message"] == (
            f"{expected} {HOLD} in 2 resource instances, {HOLD}-more in 1 resource instances"
        )
        for kind, reason in (
            ("NamespaceDeletionDiscoveryFailure", "ResourcesDiscovered"),
            ("NamespaceDeletionGroupVersionParsingFailure", "ParsedGroupVersions"),
            ("NamespaceDeletionContentFailure", "ContentDeleted"),
        ):
            assert (_condition(owners, kind)["status"], _condition(owners, kind)["reason"]) == (
                "False",
                reason,
            )
        owners.free("a")
        owners.free("b")
        virtual_rest.gone(_path(owners), timeout=5)


def test_pods_go_first(virtual_rest: Rest) -> None:
    with opened(virtual_rest) as owners:
        owners.space.create(_bare_pod("held", finalizers=[HOLD]))
        owners.config_map("waits")
        virtual_rest.delete(_path(owners))
        remaining = _condition(owners, "NamespaceContentRemaining")
        assert remaining["message"] == "Some resources are remaining: pods. has 1 resource instances"
        found = virtual_rest.get(owners.space.path("configmaps", "waits"))
        assert "deletionTimestamp" not in found["metadata"]
        pod = owners.space.path("pods", "held")
        assert virtual_rest.get(pod)["metadata"]["deletionTimestamp"]
        virtual_rest.patch(pod, {"metadata": {"finalizers": None}})
        virtual_rest.gone(_path(owners))


def test_a_namespace_with_many_objects_goes_soon(virtual_rest: Rest) -> None:
    with opened(virtual_rest) as owners:
        for number in range(300):
            owners.config_map(f"c{number}")
        virtual_rest.delete(_path(owners))
        virtual_rest.gone(_path(owners), timeout=10)


@pytest.mark.parametrize("resource", ["namespace", "ns"])
def test_kubectl_deletes_a_namespace_and_waits(
    virtual_rest: Rest, virtual_kubectl: Kubectl, resource: str
) -> None:
    with opened(virtual_rest) as owners:
        owners.replication_controller("rc", replicas=2)
        done = virtual_kubectl("delete", resource, owners.space.name, "--timeout=30s")
        assert done.text.startswith(f'namespace "{owners.space.name}" deleted')
        virtual_rest.refusal(404, "GET", _path(owners))


@pytest.mark.usefixtures("containers")
def test_running_containers_end_before_their_namespace(rest: Rest, space: Space) -> None:
    with opened(rest) as owners:
        owners.replication_controller("rc", replicas=2, image=space.image)
        for pod in owners.pods("rc"):
            owners.space.ready(pod["metadata"]["name"])
        rest.delete(_path(owners))
        rest.gone(_path(owners))
        assert owners.pods("rc") == []
