"""NodeRestriction: what a node may write."""

from typing import Any

import pytest

from kubeling.objects.errors import Forbidden, NotFound
from server.admission.node_labels import forbidden_labels
from server.admission.node_restriction import NodeRestriction
from server.auth.attributes import Attributes as Question
from server.auth.identities import authenticated
from server.registry.admission import Attributes
from server.registry.context import RequestContext
from server.registry.kinds import Kinds
from server.tests.rbac_objects import Stored

NODE = authenticated("system:node:n1", groups=("system:nodes",))
GROUPS = {"leases": "coordination.k8s.io", "csinodes": "storage.k8s.io", "resourceslices": "resource.k8s.io"}
OWNER = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "node-uid", "controller": True}
OWNED = {"name": "n1", "labels": {}, "ownerReferences": [OWNER]}
VOLUMES: dict[str, Any] = {
    "inline": {"name": "i", "csi": {"driver": "inline"}},
    "claiming": {"name": "c", "persistentVolumeClaim": {"claimName": "c"}},
    "drivers": {"name": "ephemeral", "ephemeral": {}},
    "migrated": {"name": "m", "azureFile": {"shareName": "x"}},
    "driverless": {"name": "d", "csi": {"driver": "missing"}},
    "unclaimed": {"name": "u", "persistentVolumeClaim": {"claimName": "missing"}},
    "unbound": {"name": "b", "persistentVolumeClaim": {"claimName": "unbound"}},
}
MIRROR = {"kubernetes.io/config.mirror": "x"}


def pod(*, owners: Any = (OWNER,), annotations: Any = MIRROR, **spec: Any) -> dict[str, Any]:
    metadata = {"name": "p", "namespace": "a", "annotations": annotations, "ownerReferences": list(owners)}
    return {"metadata": metadata, "spec": {"nodeName": "n1", **spec}}


def node(labels: Any = None, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "n1", "labels": labels or {}}, "spec": spec}


def named(name: str, **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec}


class Grants:
    """Nodes may have tokens for the vault, of one account."""

    def allows(self, request: Question) -> bool:
        return (request.verb, request.resource, request.namespace, request.name) == (
            "request-serviceaccounts-token-audience",
            "vault",
            "a",
            "robot",
        )


def put_volumes(stored: Stored) -> None:
    """Two drivers, and a volume of one of them that is claimed."""
    for driver, audience in (("inline", "inlines"), ("claimed", "claims"), ("file.csi.azure.com", "files")):
        spec = {"tokenRequests": [{"audience": audience}]}
        stored.put("csidrivers.storage.k8s.io", {"metadata": {"name": driver}, "spec": spec})
    volume = {"metadata": {"name": "v"}, "spec": {"csi": {"driver": "claimed"}}}
    stored.put("persistentvolumes", volume)
    for claim in ("c", "drivers-ephemeral"):
        metadata = {"name": claim, "namespace": "a"}
        stored.put("persistentvolumeclaims", {"metadata": metadata, "spec": {"volumeName": "v"}})
    unbound = {"metadata": {"name": "unbound", "namespace": "a"}, "spec": {}}
    stored.put("persistentvolumeclaims", unbound)


def write(
    plural: str, obj: Any = None, *, operation: str = "CREATE", old: Any = None, user: Any = NODE, **rest: Any
) -> None:
    kind = Kinds().lookup(GROUPS.get(plural, ""), "v1", plural)
    assert kind is not None
    stored = Stored()
    stored.put("nodes", {"metadata": {"name": "n1", "uid": "node-uid"}})
    running = {"projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}
    for name, where in (("mine", "n1"), ("other", "n2")):
        metadata = {"name": name, "namespace": "a", "uid": f"uid-{name}"}
        spec = {"nodeName": where, "volumes": [running]}
        stored.put("pods", {"metadata": metadata, "spec": spec})
    put_volumes(stored)
    for name, volume in VOLUMES.items():
        metadata = {"name": name, "namespace": "a", "uid": f"uid-{name}"}
        stored.put("pods", {"metadata": metadata, "spec": {"nodeName": "n1", "volumes": [volume]}})
    own = ((obj or old or {}).get("metadata") or {}).get("name", "")
    place = {"namespace": "a", "name": own} | rest
    attributes = Attributes(RequestContext(user), kind, "v1", operation, obj=obj, old=old, **place)
    plugin = NodeRestriction(stored, Grants())
    if plugin.concerns(kind, operation, attributes.subresource):
        plugin.mutate(attributes)


def test_other_users_are_not_its_affair() -> None:
    write("pods", {"metadata": {"name": "p"}, "spec": {}}, user=authenticated("bob"))


@pytest.mark.parametrize(
    ("obj", "why"),
    [
        (
            pod(annotations={}),
            'pod does not have "kubernetes.io/config.mirror" annotation, node "n1" can only',
        ),
        (pod(nodeName="n2"), 'node "n1" can only create pods with spec.nodeName set to itself'),
        (pod(owners=()), "with an owner reference set to itself"),
        (pod(owners=(OWNER, OWNER)), "with a single owner reference set to itself"),
        (pod(owners=({**OWNER, "name": "n2"},)), "with an owner reference set to itself"),
        (pod(owners=({**OWNER, "controller": False},)), "with a controller owner reference set to itself"),
        (pod(owners=({**OWNER, "uid": "x"},)), "node n1 UID mismatch: expected x got node-uid"),
        (pod(owners=({**OWNER, "blockOwnerDeletion": True},)), "must not set blockOwnerDeletion"),
        (pod(serviceAccountName="sa"), "can not create pods that reference a service account"),
        (pod(imagePullSecrets=[{"name": "s"}]), "can not create pods that reference secrets"),
        (pod(volumes=[{"name": "v", "configMap": {"name": "c"}}]), "that reference configmaps"),
        (
            pod(volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]),
            "that reference persistentvolumeclaims",
        ),
    ],
)
def test_a_node_creates_mirror_pods_of_its_own_only(obj: Any, why: str) -> None:
    with pytest.raises(Forbidden, match=f'pods "p" is forbidden: .*{why}'):
        write("pods", obj)


def test_a_proper_mirror_pod_passes() -> None:
    write("pods", pod())


BOUND, ELSEWHERE = pod(), pod(nodeName="n2")


@pytest.mark.parametrize(
    "refused",
    [
        {"operation": "DELETE", "old": ELSEWHERE},
        {"operation": "UPDATE", "obj": BOUND, "old": BOUND},
        {"operation": "UPDATE", "subresource": "status", "obj": ELSEWHERE, "old": ELSEWHERE},
        {
            "operation": "UPDATE",
            "subresource": "status",
            "obj": {**BOUND, "metadata": {**BOUND["metadata"], "labels": {"a": "b"}}},
            "old": BOUND,
        },
        {"subresource": "eviction", "obj": named("x"), "name": "other"},
        {"subresource": "binding", "obj": named("x"), "name": "mine"},
    ],
)
def test_a_node_may_not_touch_other_pods(refused: Any) -> None:
    with pytest.raises(Forbidden):
        write("pods", **refused)


@pytest.mark.parametrize(
    "allowed",
    [
        {"operation": "DELETE", "old": BOUND},
        {"operation": "UPDATE", "subresource": "status", "obj": BOUND, "old": BOUND},
        {"subresource": "eviction", "obj": named("x"), "name": "mine"},
    ],
)
def test_a_node_writes_about_its_own_pods(allowed: Any) -> None:
    write("pods", **allowed)


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        ({"obj": named("n2")}, 'node "n1" is not allowed to modify node "n2"'),
        (
            {
                "obj": node(
                    {"node-role.kubernetes.io/x": "", "mine": "y", "node-restriction.kubernetes.io/z": ""}
                )
            },
            'node "n1" is not allowed to set the following labels:'
            " node-restriction.kubernetes.io/z, node-role.kubernetes.io/x",
        ),
        (
            {"operation": "UPDATE", "obj": node({"k8s.io/a": "1"}), "old": node()},
            "is not allowed to modify labels: k8s.io/a",
        ),
        (
            {"operation": "UPDATE", "obj": node(), "old": node(taints=[{"key": "a"}])},
            'node "n1" is not allowed to modify taints',
        ),
        (
            {"operation": "UPDATE", "obj": {**node(), "metadata": {**OWNED}}, "old": node()},
            'node "n1" is not allowed to modify ownerReferences',
        ),
    ],
)
def test_a_node_keeps_to_its_own_node(refused: Any, why: str) -> None:
    with pytest.raises(Forbidden) as caught:
        write("nodes", **refused)
    assert caught.value.message.endswith(why)


def test_a_node_registers_with_the_kubelets_labels_and_any_taints() -> None:
    labels = {"kubernetes.io/hostname": "n1", "node.kubernetes.io/x": "", "mine": "", "example.com/y": ""}
    write("nodes", node(labels, taints=[{"key": "a"}]))
    assert forbidden_labels({"beta.kubernetes.io/os": "linux", "x.kubelet.kubernetes.io/y": ""}, {}) == []


def claim(labels: Any = None, **status: Any) -> Any:
    return {"metadata": {"name": "c", "labels": labels or {}}, "spec": {}, "status": status}


def test_of_a_claim_only_some_of_the_status() -> None:
    update = {"operation": "UPDATE", "old": claim(), "subresource": "status"}
    write("persistentvolumeclaims", claim(capacity={"storage": "1Gi"}, conditions=[{}]), **update)
    with pytest.raises(Forbidden, match=r"fields other than status.quantity and status.conditions"):
        write("persistentvolumeclaims", claim({"a": "b"}), **update)
    with pytest.raises(Forbidden, match="may only update PVC status"):
        write("persistentvolumeclaims", claim(), operation="UPDATE", old=claim())


def request_for(pod: str, uid: str = "", audiences: Any = ()) -> Any:
    reference = {"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}
    return {"metadata": {}, "spec": {"boundObjectRef": reference, "audiences": list(audiences)}}


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({"metadata": {}, "spec": {}}, "node requested token not bound to a pod"),
        (request_for("mine"), "node requested token with a pod binding without a uid"),
        (request_for("mine", "x"), "the UID in the bound object reference (x) does not match"),
        (request_for("other", "uid-other"), "bound to a pod scheduled on a different node"),
        (request_for("mine", "uid-mine", ["x"]), 'audience "x" not found in pod spec volume'),
        (request_for("mine", "uid-mine", ["x", "y"]), "node may only request 0 or 1 audiences"),
    ],
)
def test_a_node_gets_tokens_for_its_pods_only(request_: Any, why: str) -> None:
    with pytest.raises(Forbidden) as caught:
        write("serviceaccounts", request_, subresource="token", name="sa")
    assert why in caught.value.message


@pytest.mark.parametrize(
    ("pod", "audience"),
    [
        ("inline", "inlines"),
        ("claiming", "claims"),
        ("drivers", "claims"),
        ("migrated", "files"),
        ("mine", "vault"),
    ],
)
def test_a_node_gets_tokens_for_its_pods_drivers_and_what_it_is_granted(pod: str, audience: str) -> None:
    asked = request_for(pod, f"uid-{pod}", [audience])
    write("serviceaccounts", asked, subresource="token", name="robot")
    other = request_for(pod, f"uid-{pod}", ["other"])
    with pytest.raises(Forbidden) as caught:
        write("serviceaccounts", other, subresource="token", name="robot")
    assert caught.value.message.endswith(
        'audience "other" not found in pod spec volume, system:node:n1 is not authorized to request tokens'
        " for this audience"
    )


@pytest.mark.parametrize(
    ("pod", "missing"),
    [
        ("driverless", 'csidriver.storage.k8s.io "missing" not found'),
        ("unclaimed", 'persistentvolumeclaim "missing" not found'),
        ("unbound", 'persistentvolume "" not found'),
    ],
)
def test_what_is_missing_on_the_way_to_a_driver_is_told(pod: str, missing: str) -> None:
    asked = request_for(pod, f"uid-{pod}", ["a"])
    with pytest.raises(Forbidden) as caught:
        write("serviceaccounts", asked, subresource="token", name="robot")
    assert caught.value.message.endswith(f'error validating audience "a": {missing}')


def test_a_pods_token_passes() -> None:
    write("serviceaccounts", request_for("mine", "uid-mine"), subresource="token", name="sa")
    with pytest.raises(NotFound, match='pods "gone" not found'):
        write("serviceaccounts", request_for("gone", "x"), subresource="token", name="sa")


def test_leases_csi_nodes_and_slices_are_the_nodes_own() -> None:
    write("leases", named("n1"), namespace="kube-node-lease")
    write("csinodes", named("n1"), namespace="")
    write("resourceslices", named("x", nodeName="n1"), namespace="")
    for plural, namespace in (("leases", "kube-node-lease"), ("csinodes", ""), ("resourceslices", "")):
        with pytest.raises(Forbidden):
            write(plural, named("n2", nodeName="n2"), namespace=namespace)
    with pytest.raises(Forbidden, match="kube-node-lease"):
        write("leases", named("n1"))
