from functools import cache
from typing import Any

import pytest

from kubeling.objects.errors import Forbidden
from server.auth.attributes import Attributes
from server.auth.authorization import Authorization
from server.auth.identities import anonymous, authenticated
from server.auth.policy.defaults import defaults
from server.tests.rbac_objects import Stored

ADMIN = authenticated("admin", groups=("system:masters",))
BOB = authenticated("bob")
NODE = authenticated("system:node:n1", groups=("system:nodes",))
LEASES = {"group": "coordination.k8s.io", "resource": "leases", "namespace": "kube-node-lease"}


@cache
def authorization() -> Authorization:
    """Over the default roles and bindings, and one pod of the node's."""
    stored = Stored()
    for each in defaults():
        stored.put(f"{each.plural}.rbac.authorization.k8s.io", each.obj)
    stored.put("pods", POD)
    return Authorization.standard(stored)


def allows(user: Any, verb: Any, **rest: Any) -> Any:
    return authorization().allows(Attributes(user, verb, **rest))


def test_superusers_may_do_all() -> None:
    assert allows(ADMIN, "delete", resource="nodes", name="n1")
    assert allows(ADMIN, "get", is_resource=False, path="/metrics")


def test_components_have_their_roles() -> None:
    scheduler = authenticated("system:kube-scheduler")
    assert allows(scheduler, "create", resource="pods", subresource="binding", namespace="a")
    assert not allows(scheduler, "delete", resource="nodes", name="n1")
    garbage = authenticated("system:serviceaccount:kube-system:generic-garbage-collector")
    assert allows(garbage, "delete", group="example.com", resource="widgets", namespace="a", name="w")


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/version"])
def test_anyone_may_see_health_and_version(path: Any) -> None:
    assert allows(anonymous, "get", is_resource=False, path=path)
    assert not allows(anonymous, "get", is_resource=False, path=f"{path}/ping")


def test_discovery_is_for_the_authenticated() -> None:
    assert allows(BOB, "get", is_resource=False, path="/apis/apps/v1")
    assert not allows(anonymous, "get", is_resource=False, path="/apis")
    assert not allows(BOB, "get", is_resource=False, path="/metrics")


def test_everyone_may_ask_about_themselves() -> None:
    assert allows(BOB, "create", group="authorization.k8s.io", resource="selfsubjectaccessreviews")


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        (
            {"verb": "list", "resource": "pods", "namespace": "default"},
            'pods is forbidden: User "bob" cannot list resource "pods" in API group ""'
            ' in the namespace "default"',
        ),
        (
            {"verb": "get", "resource": "deployments", "group": "apps", "namespace": "a", "name": "d"},
            'deployments.apps "d" is forbidden: User "bob" cannot get resource "deployments"'
            ' in API group "apps" in the namespace "a"',
        ),
        (
            {"verb": "get", "resource": "pods", "subresource": "log", "namespace": "a", "name": "p"},
            'pods "p" is forbidden: User "bob" cannot get resource "pods/log" in API group ""'
            ' in the namespace "a"',
        ),
        (
            {"verb": "list", "resource": "nodes"},
            'nodes is forbidden: User "bob" cannot list resource "nodes" in API group ""'
            " at the cluster scope",
        ),
        (
            {"verb": "get", "is_resource": False, "path": "/metrics"},
            'forbidden: User "bob" cannot get path "/metrics"',
        ),
    ],
)
def test_a_refusal_is_worded_as_kubernetes_words_it(attributes: Any, message: Any) -> None:
    with pytest.raises(Forbidden) as caught:
        authorization().check(Attributes(BOB, **attributes))
    assert caught.value.message == message


POD = {
    "metadata": {"name": "p", "namespace": "a", "uid": "u"},
    "spec": {
        "nodeName": "n1",
        "serviceAccountName": "sa",
        "imagePullSecrets": [{"name": "pull"}],
        "containers": [{"name": "c", "envFrom": [{"configMapRef": {"name": "cm"}}]}],
        "volumes": [
            {"name": "s", "secret": {"secretName": "s"}},
            {"name": "c", "persistentVolumeClaim": {"claimName": "data"}},
            {"name": "e", "ephemeral": {}},
            {"name": "p", "projected": {"sources": [{"configMap": {"name": "root-ca"}}]}},
        ],
        "resourceClaims": [{"name": "gpu", "resourceClaimName": "gpu"}],
    },
}


@pytest.mark.parametrize(
    ("verb", "attributes"),
    [
        ("create", {"resource": "nodes"}),
        ("get", {"resource": "nodes", "name": "n1"}),
        ("watch", {"resource": "nodes", "name": "n1"}),
        ("patch", {"resource": "nodes", "subresource": "status", "name": "n1"}),
        ("get", {"resource": "pods", "name": "p", "namespace": "a"}),
        ("patch", {"resource": "pods", "subresource": "status", "name": "p", "namespace": "a"}),
        ("delete", {"resource": "pods", "name": "p", "namespace": "a"}),
        ("create", {"resource": "pods", "subresource": "eviction", "name": "p", "namespace": "a"}),
        ("watch", {"resource": "pods", "field_selector": "spec.nodeName=n1"}),
        ("get", {"resource": "secrets", "name": "s", "namespace": "a"}),
        ("watch", {"resource": "secrets", "name": "pull", "namespace": "a"}),
        ("list", {"resource": "configmaps", "name": "cm", "namespace": "a"}),
        ("get", {"resource": "configmaps", "name": "root-ca", "namespace": "a"}),
        ("get", {"resource": "persistentvolumeclaims", "name": "data", "namespace": "a"}),
        ("get", {"resource": "persistentvolumeclaims", "name": "p-e", "namespace": "a"}),
        ("get", {"group": "resource.k8s.io", "resource": "resourceclaims", "name": "gpu", "namespace": "a"}),
        ("create", {"resource": "serviceaccounts", "subresource": "token", "name": "sa", "namespace": "a"}),
        ("create", {"resource": "events", "namespace": "a"}),
        ("list", {"resource": "services"}),
        ("update", LEASES | {"name": "n1"}),
        ("get", {"group": "storage.k8s.io", "resource": "csinodes", "name": "n1"}),
    ],
)
def test_a_node_may_do_its_work(verb: Any, attributes: Any) -> None:
    assert allows(NODE, verb, **attributes)


UNRELATED = "no relationship found between node 'n1' and this object"


@pytest.mark.parametrize(
    ("verb", "attributes", "why"),
    [
        ("list", {"resource": "nodes"}, "node 'n1' cannot read all nodes, only its own Node object"),
        (
            "get",
            {"resource": "nodes", "name": "n2"},
            "node 'n1' cannot read 'n2', only its own Node object",
        ),
        ("delete", {"resource": "nodes", "name": "n1"}, ""),
        ("watch", {"resource": "pods"}, "can only list/watch pods with spec.nodeName field selector"),
        ("get", {"resource": "pods", "name": "other", "namespace": "a"}, UNRELATED),
        ("update", {"resource": "pods", "name": "p", "namespace": "a"}, ""),
        ("get", {"resource": "secrets", "name": "other", "namespace": "a"}, UNRELATED),
        ("get", {"resource": "secrets", "name": "s", "namespace": "b"}, UNRELATED),
        ("list", {"resource": "secrets", "namespace": "a"}, "No Object name found"),
        ("list", {"resource": "secrets"}, "can only read namespaced object of this type"),
        ("create", {"resource": "secrets", "namespace": "a"}, "can only read resources of this type"),
        (
            "create",
            {"resource": "serviceaccounts", "subresource": "token", "name": "x", "namespace": "a"},
            UNRELATED,
        ),
        (
            "update",
            LEASES | {"name": "n2"},
            "can only access node lease with the same name as the requesting node",
        ),
        ("create", {"resource": "pods", "subresource": "exec", "name": "p", "namespace": "a"}, ""),
    ],
)
def test_a_node_may_not_do_more(verb: Any, attributes: Any, why: str) -> None:
    assert authorization().decide(Attributes(NODE, verb, **attributes)) == (False, why)


@pytest.mark.parametrize("name", ["system:node:n2", "system:node:"])
def test_another_node_has_nothing_to_do_with_it(name: str) -> None:
    other = authenticated(name, groups=("system:nodes",))
    assert not allows(other, "get", resource="secrets", name="s", namespace="a")


def test_a_volumes_secret_concerns_the_node_that_uses_its_claim() -> None:
    stored = Stored()
    stored.put("pods", POD)
    csi = {"nodeStageSecretRef": {"name": "stage", "namespace": "sys"}}
    volume = {"claimRef": {"name": "data", "namespace": "a"}, "csi": csi}
    stored.put("persistentvolumes", {"metadata": {"name": "pv"}, "spec": volume})
    free = {"claimRef": {"name": "free", "namespace": "a"}, "csi": csi}
    stored.put("persistentvolumes", {"metadata": {"name": "free"}, "spec": free})
    asked = Authorization.standard(stored)
    assert asked.allows(Attributes(NODE, "get", resource="persistentvolumes", name="pv"))
    assert not asked.allows(Attributes(NODE, "get", resource="persistentvolumes", name="free"))
    assert asked.allows(Attributes(NODE, "get", resource="secrets", namespace="sys", name="stage"))


def test_a_name_like_a_nodes_is_nothing_without_the_group() -> None:
    assert not allows(authenticated("system:node:n1"), "create", resource="nodes")
