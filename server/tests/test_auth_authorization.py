from typing import Any

import pytest

from kubeling.objects.errors import Forbidden
from server.auth.attributes import Attributes
from server.auth.authorization import Authorization
from server.auth.identities import anonymous, authenticated

ADMIN = authenticated("admin", groups=("system:masters",))
BOB = authenticated("bob")
NODE = authenticated("system:node:n1", groups=("system:nodes",))
LEASES = {"group": "coordination.k8s.io", "resource": "leases", "namespace": "kube-node-lease"}


def allows(user: Any, verb: Any, **rest: Any) -> Any:
    return Authorization.standard().allows(Attributes(user, verb, **rest))


@pytest.mark.parametrize("user", [ADMIN, authenticated("system:kube-scheduler")])
def test_superusers_may_do_all(user: Any) -> None:
    assert allows(user, "delete", resource="nodes", name="n1")
    assert allows(user, "get", is_resource=False, path="/metrics")


@pytest.mark.parametrize("path", ["/healthz", "/livez/ping", "/readyz", "/version"])
def test_anyone_may_see_health_and_version(path: Any) -> None:
    assert allows(anonymous, "get", is_resource=False, path=path)


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
        Authorization.standard().check(Attributes(BOB, **attributes))
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("verb", "attributes"),
    [
        ("create", {"resource": "nodes"}),
        ("patch", {"resource": "nodes", "subresource": "status", "name": "n1"}),
        ("patch", {"resource": "pods", "subresource": "status", "name": "p", "namespace": "a"}),
        ("delete", {"resource": "pods", "name": "p", "namespace": "a"}),
        ("watch", {"resource": "pods", "field_selector": "spec.nodeName=n1"}),
        ("get", {"resource": "secrets", "name": "s", "namespace": "a"}),
        ("create", {"resource": "events", "namespace": "a"}),
        ("update", LEASES | {"name": "n1"}),
    ],
)
def test_a_node_may_do_its_work(verb: Any, attributes: Any) -> None:
    assert allows(NODE, verb, **attributes)


@pytest.mark.parametrize(
    ("verb", "attributes"),
    [
        ("patch", {"resource": "nodes", "subresource": "status", "name": "n2"}),
        ("watch", {"resource": "pods"}),
        ("update", {"resource": "pods", "name": "p", "namespace": "a"}),
        ("create", {"resource": "secrets", "namespace": "a"}),
        ("update", LEASES | {"name": "n2"}),
        ("create", {"resource": "pods", "subresource": "exec", "name": "p", "namespace": "a"}),
    ],
)
def test_a_node_may_not_do_more(verb: Any, attributes: Any) -> None:
    assert not allows(NODE, verb, **attributes)


def test_a_name_like_a_nodes_is_nothing_without_the_group() -> None:
    assert not allows(authenticated("system:node:n1"), "create", resource="nodes")
