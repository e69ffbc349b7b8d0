"""Garbage collection: what goes with its owner, what is orphaned, and who waits for whom."""

from collections.abc import Iterator
from typing import Any

import pytest

from conformance import customs as custom_kinds
from conformance.customs import Customs
from conformance.kubectl import Kubectl
from conformance.owners import APPS, BATCH, HOLD, Owners, reference, template
from conformance.space import Space


@pytest.fixture
def owners(virtual_space: Space) -> Owners:
    return Owners(virtual_space)


@pytest.fixture
def customs(virtual_space: Space) -> Iterator[Customs]:
    with custom_kinds.opened(virtual_space.rest, virtual_space.name) as customs:
        yield customs


def test_pods_created_by_a_controller_go_with_it_when_not_orphaned(owners: Owners) -> None:
    owners.replication_controller("rc", replicas=3)
    owners.delete("replicationcontrollers", "rc", propagationPolicy="Background")
    owners.gone("replicationcontrollers", "rc")
    owners.until(lambda: not owners.pods("rc"), "the pods are gone")


@pytest.mark.parametrize("options", [{"propagationPolicy": "Orphan"}, {"orphanDependents": True}, {}])
def test_pods_created_by_a_replication_controller_stay_when_orphaned(
    owners: Owners, options: dict[str, Any]
) -> None:
    owners.replication_controller("rc", replicas=3)
    before = {pod["metadata"]["uid"] for pod in owners.pods("rc")}
    owners.delete("replicationcontrollers", "rc", **options)
    owners.gone("replicationcontrollers", "rc")
    left = owners.pods("rc")
    assert {pod["metadata"]["uid"] for pod in left} == before
    assert all("ownerReferences" not in pod["metadata"] for pod in left)
    assert all("deletionTimestamp" not in pod["metadata"] for pod in left)


def test_a_replica_set_created_by_a_deployment_goes_with_it(owners: Owners) -> None:
    owners.deployment("web")
    owners.delete("deployments", "web", group=APPS, propagationPolicy="Background")
    owners.gone("deployments", "web", group=APPS)
    owners.until(lambda: not owners.replica_sets(), "the replica set is gone")
    owners.until(lambda: not owners.pods("web"), "the pods are gone")


def test_a_replica_set_created_by_a_deployment_stays_when_orphaned(owners: Owners) -> None:
    owners.deployment("web")
    owners.delete("deployments", "web", group=APPS, propagationPolicy="Orphan")
    owners.gone("deployments", "web", group=APPS)
    (left,) = owners.replica_sets()
    assert "ownerReferences" not in left["metadata"]
    assert len(owners.pods("web")) == 2


def test_a_controller_stays_until_all_its_pods_are_deleted(owners: Owners) -> None:
    owners.replication_controller("rc", replicas=3)
    held = owners.pods("rc")[0]["metadata"]["name"]
    path = owners.space.path("pods", held)
    owners.space.rest.patch(path, {"metadata": {"finalizers": [HOLD]}})
    owners.delete("replicationcontrollers", "rc", propagationPolicy="Foreground")
    owners.until(lambda: len(owners.pods("rc")) == 1, "the other pods are gone")
    found = owners.space.rest.get(owners.space.path("replicationcontrollers", "rc"))
    assert found["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert found["metadata"]["deletionTimestamp"]
    owners.space.rest.patch(path, {"metadata": {"finalizers": None}})
    owners.gone("replicationcontrollers", "rc")
    assert not owners.pods("rc")


def test_dependents_with_a_valid_owner_survive_one_that_waits_for_them(owners: Owners) -> None:
    owners.replication_controller("goes", replicas=4)
    stays = owners.replication_controller("stays", replicas=0)
    shared = [pod["metadata"]["name"] for pod in owners.pods("goes")[:2]]
    for name in shared:
        pod = owners.space.pod(name)
        both = [*pod["metadata"]["ownerReferences"], reference(stays)]
        owners.space.rest.patch(owners.space.path("pods", name), {"metadata": {"ownerReferences": both}})
    owners.delete("replicationcontrollers", "goes", propagationPolicy="Foreground")
    owners.gone("replicationcontrollers", "goes")
    left = owners.pods("goes")
    assert sorted(pod["metadata"]["name"] for pod in left) == sorted(shared)
    for pod in left:
        assert [each["name"] for each in pod["metadata"]["ownerReferences"]] == ["stays"]
        assert "deletionTimestamp" not in pod["metadata"]


def test_a_circle_of_owners_does_not_hold_itself(owners: Owners) -> None:
    spec = template("circle")["spec"]
    pods = [
        owners.space.create({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec})
        for name in ("pod1", "pod2", "pod3")
    ]
    for pod, owner in zip(pods, [pods[2], pods[0], pods[1]], strict=True):
        path = owners.space.path("pods", pod["metadata"]["name"])
        closing = [reference(owner, controller=True, blockOwnerDeletion=True)]
        owners.space.rest.patch(path, {"metadata": {"ownerReferences": closing}})
    owners.delete("pods", "pod1", propagationPolicy="Foreground")
    for name in ("pod1", "pod2", "pod3"):
        owners.gone("pods", name)


def test_custom_resources_are_deleted_with_their_owner(owners: Owners, customs: Customs) -> None:
    customs.establish()
    rest = customs.rest
    owner = rest.post(customs.collection, customs.tab("owner"))
    dependent = customs.tab("dependent")
    dependent["metadata"]["ownerReferences"] = [reference(owner)]
    rest.post(customs.collection, dependent)
    owners.config_map("dependent", reference(owner))
    rest.delete(f"{customs.collection}/owner", propagationPolicy="Background")
    rest.gone(f"{customs.collection}/dependent")
    owners.gone("configmaps", "dependent")


def test_custom_resources_are_orphaned(owners: Owners, customs: Customs) -> None:
    customs.establish()
    rest = customs.rest
    owner = rest.post(customs.collection, customs.tab("owner"))
    dependent = customs.tab("dependent")
    dependent["metadata"]["ownerReferences"] = [reference(owner)]
    rest.post(customs.collection, dependent)
    rest.delete(f"{customs.collection}/owner", propagationPolicy="Orphan")
    rest.gone(f"{customs.collection}/owner")
    assert "ownerReferences" not in rest.get(f"{customs.collection}/dependent")["metadata"]


def test_dependents_go_when_the_definition_of_their_owner_goes(owners: Owners, customs: Customs) -> None:
    customs.establish()
    owner = customs.rest.post(customs.collection, customs.tab("owner"))
    owners.config_map("dependent", reference(owner))
    customs.rest.delete(f"{custom_kinds.CRDS}/{customs.name}")
    owners.gone("configmaps", "dependent")


def test_jobs_and_pods_created_by_a_cron_job_go_with_it(owners: Owners) -> None:
    job = {"spec": {"template": template("cron", restartPolicy="Never")}}
    spec = {"schedule": "*/1 * * * ?", "jobTemplate": job}
    wanted = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "cron"}, "spec": spec}
    cron = owners.space.rest.post(owners.space.path("cronjobs", group=BATCH), wanted)
    made = {"apiVersion": "batch/v1", "kind": "Job", "spec": job["spec"]}
    made["metadata"] = {"name": "cron-1", "ownerReferences": [reference(cron, controller=True)]}
    owners.space.rest.post(owners.space.path("jobs", group=BATCH), made)
    owners.until(lambda: owners.pods("cron"), "the job has its pod")
    owners.delete("cronjobs", "cron", group=BATCH, propagationPolicy="Background")
    owners.until(lambda: not owners.list("jobs", group=BATCH), "the jobs are gone")
    owners.until(lambda: not owners.pods("cron"), "the pods are gone")


def test_an_owner_in_another_namespace_is_none(owners: Owners) -> None:
    """The authority's config map is in every namespace: that of another one cannot be an owner here."""
    far = owners.space.rest.get("/api/v1/namespaces/default/configmaps/kube-root-ca.crt")
    stated = reference({"apiVersion": "v1", "kind": "ConfigMap", **far}, name="kube-root-ca.crt")
    owners.config_map("child", stated)
    owners.gone("configmaps", "child")
    here = owners.space.name
    said = f"[v1/ConfigMap, namespace: {here}, name: kube-root-ca.crt, uid: {far['metadata']['uid']}]"
    message = owners.space.event("child", "OwnerRefInvalidNamespace")["message"]
    assert message == f'ownerRef {said} does not exist in namespace "{here}"'


def test_an_object_that_never_had_its_owner_goes(owners: Owners) -> None:
    owner = owners.config_map("owner")
    owners.config_map("child", reference(owner, uid="00000000-0000-0000-0000-000000000000"))
    owners.gone("configmaps", "child")
    assert owners.exists("configmaps", "owner")


# kubectl.


@pytest.mark.parametrize("cascade", ["background", "foreground"])
def test_kubectl_deletes_with_what_depends(owners: Owners, virtual_kubectl: Kubectl, cascade: str) -> None:
    owners.deployment("web")
    virtual_kubectl("delete", "deployment", "web", f"--cascade={cascade}", "--timeout=30s")
    assert not owners.exists("deployments", "web", group=APPS)
    owners.until(lambda: not owners.pods("web"), "the pods are gone")


def test_kubectl_deletes_and_orphans(owners: Owners, virtual_kubectl: Kubectl) -> None:
    owners.deployment("web")
    virtual_kubectl("delete", "deployment", "web", "--cascade=orphan", "--timeout=30s")
    assert len(owners.replica_sets()) == 1
    virtual_kubectl("delete", "rs", "--all", "--cascade=orphan", "--timeout=30s")
    assert len(owners.pods("web")) == 2
    virtual_kubectl("delete", "pods", "--all", "--timeout=30s")


def test_kubectl_waits_for_the_end(owners: Owners, virtual_kubectl: Kubectl) -> None:
    owners.config_map("held", finalizers=(HOLD,))
    virtual_kubectl("delete", "configmap", "held", "--wait=false")
    late = virtual_kubectl.attempt("wait", "--for=delete", "configmap/held", "--timeout=1s")
    assert late.code != 0
    assert "timed out" in late.errors
    owners.free("held")
    virtual_kubectl("wait", "--for=delete", "configmap/held", "--timeout=30s")


# Real containers.


@pytest.mark.usefixtures("containers")
def test_a_controller_waits_until_its_containers_have_ended(space: Space) -> None:
    owners = Owners(space)
    owners.replication_controller("rc", replicas=2, image=space.image)
    for pod in owners.pods("rc"):
        space.ready(pod["metadata"]["name"])
    owners.delete("replicationcontrollers", "rc", propagationPolicy="Foreground")
    assert owners.exists("replicationcontrollers", "rc")
    owners.gone("replicationcontrollers", "rc")
    assert not owners.pods("rc")
