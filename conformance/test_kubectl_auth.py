"""kubectl auth, roles and bindings, and acting as somebody else."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance import pods
from conformance import rest as rests
from conformance.bearer import kubeconfig as kubeconfig_for
from conformance.cluster import Cluster
from conformance.kubectl import Kubectl, manifest
from conformance.rest import Object, Rest
from conformance.space import Space
from conformance.waiting import eventually

RBAC = "apis/rbac.authorization.k8s.io/v1"


@pytest.fixture
def cluster_wide(rest: Rest, space: Space) -> Iterator[str]:
    """A name for ClusterRoles and ClusterRoleBindings, which are removed at the end."""
    yield space.name
    for plural in ("clusterrolebindings", "clusterroles"):
        rest.request("DELETE", f"/{RBAC}/{plural}/{space.name}")


def can(kubectl: Kubectl, *question: str, user: str = "bob") -> bool:
    """`auth can-i` says so by its words, and by its exit code."""
    result = kubectl.attempt("auth", "can-i", *question, f"--as={user}")
    answer = result.lines[-1].split(" ")[0]
    assert (answer, result.code) in (("yes", 0), ("no", 1)), str(result)
    return answer == "yes"


def test_a_role_is_in_force_as_soon_as_it_is_bound(each_kubectl: Kubectl) -> None:
    kubectl = each_kubectl
    assert not can(kubectl, "list", "pods")
    kubectl("create", "role", "reader", "--verb=get,list", "--resource=pods,pods/log")
    kubectl("create", "rolebinding", "bobs", "--role=reader", "--user=bob", "--group=team")
    assert can(kubectl, "list", "pods")
    assert can(kubectl, "get", "pods/log")
    assert can(kubectl, "get", "pods", "--subresource=log")
    assert not can(kubectl, "delete", "pods")
    assert not can(kubectl, "list", "pods", "--all-namespaces")
    kubectl("get", "pods", "--as=bob")
    kubectl("get", "pods", "--as=ann", "--as-group=team")
    kubectl("delete", "rolebinding", "bobs")
    refused = kubectl.attempt("get", "pods", "--as=bob")
    assert refused.code == 1
    assert refused.errors == (
        'Error from server (Forbidden): pods is forbidden: User "bob" cannot list resource "pods"'
        f' in API group "" in the namespace "{kubectl.namespace}"\n'
    )


def test_names_and_paths(kubectl: Kubectl, cluster_wide: str) -> None:
    kubectl("create", "role", "one", "--verb=get", "--resource=configmaps", "--resource-name=mine")
    kubectl("create", "rolebinding", "one", "--role=one", "--user=bob")
    assert can(kubectl, "get", "configmaps/mine")
    assert not can(kubectl, "get", "configmaps/yours")
    assert not can(kubectl, "list", "configmaps")
    assert can(kubectl, "get", "/version")
    assert not can(kubectl, "get", "/metrics")
    kubectl("create", "clusterrole", cluster_wide, "--verb=get", "--non-resource-url=/metrics/*")
    kubectl("create", "clusterrolebinding", cluster_wide, f"--clusterrole={cluster_wide}", "--user=bob")
    assert can(kubectl, "get", "/metrics/slis")


def test_the_list_of_ones_rights(each_kubectl: Kubectl) -> None:
    kubectl = each_kubectl
    kubectl("create", "role", "r", "--verb=get,watch", "--resource=deployments.apps,secrets")
    kubectl("create", "rolebinding", "r", "--role=r", "--user=bob")
    rows = [line.split() for line in kubectl("auth", "can-i", "--list", "--as=bob").lines]
    assert rows[0] == ["Resources", "Non-Resource", "URLs", "Resource", "Names", "Verbs"]
    assert ["deployments.apps", "[]", "[]", "[get", "watch]"] in rows
    assert ["selfsubjectaccessreviews.authorization.k8s.io", "[]", "[]", "[create]"] in rows
    assert ["[/api/*]", "[]", "[get]"] in rows
    everything = [line.split() for line in kubectl("auth", "can-i", "--list").lines]
    assert ["*.*", "[]", "[]", "[*]"] in everything


def test_whoami(admin: Kubectl) -> None:
    shown = admin.json("auth", "whoami")["status"]["userInfo"]
    assert {"system:masters", "system:authenticated"} <= set(shown["groups"])
    other = admin.json("auth", "whoami", "--as=bob", "--as-group=team", "--as-uid=u")["status"]["userInfo"]
    assert (other["username"], other["uid"], other["groups"]) == (
        "bob",
        "u",
        ["team", "system:authenticated"],
    )


def test_reconcile_adds_and_removes(kubectl: Kubectl) -> None:
    def role(*verbs: str) -> Object:
        rule = {"apiGroups": [""], "resources": ["pods"], "verbs": list(verbs)}
        metadata = {"name": "r", "namespace": kubectl.namespace}
        return {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": [rule],
        }

    def verbs() -> set[str]:
        return {verb for rule in kubectl.json("get", "role", "r")["rules"] for verb in rule["verbs"]}

    def reconcile(*options: str, role: Object) -> str:
        return kubectl("auth", "reconcile", "-f", "-", *options, stdin=manifest(role)).text

    assert "reconciled" in reconcile(role=role("get", "list"))
    reconcile(role=role("get", "watch"))
    assert verbs() == {"get", "list", "watch"}
    reconcile("--remove-extra-permissions", role=role("get"))
    assert verbs() == {"get"}


def test_nobody_grants_more_than_they_have(kubectl: Kubectl) -> None:
    kubectl("create", "rolebinding", "bob", "--clusterrole=admin", "--user=bob")
    eventually(lambda: can(kubectl, "create", "roles"), what="the rules of admin are aggregated")
    kubectl("create", "role", "fine", "--verb=get", "--resource=pods", "--as=bob")
    refused = kubectl.attempt("create", "role", "evil", "--verb=get,list", "--resource=nodes", "--as=bob")
    assert refused.code == 1
    assert refused.errors == (
        'Error from server (Forbidden): roles.rbac.authorization.k8s.io "evil" is forbidden: user "bob"'
        ' (groups=["system:authenticated"]) is attempting to grant RBAC permissions not currently held:\n'
        '{APIGroups:[""], Resources:["nodes"], Verbs:["get" "list"]}\n'
    )
    binding = ("create", "rolebinding", "x", "--user=bob", "--as=bob")
    assert kubectl.attempt(*binding, "--clusterrole=cluster-admin").code == 1
    assert "edit" in kubectl(*binding, "--clusterrole=edit", "-o", "yaml").text


def test_a_binding_keeps_its_role(kubectl: Kubectl) -> None:
    kubectl("create", "rolebinding", "b", "--clusterrole=view", "--user=bob")
    changed = kubectl.json("get", "rolebinding", "b")
    changed["roleRef"]["name"] = "edit"
    refused = kubectl.attempt("replace", "-f", "-", stdin=json.dumps(changed))
    assert "cannot change roleRef" in refused.errors


def test_aggregated_roles_follow_the_roles_that_they_collect(kubectl: Kubectl, cluster_wide: str) -> None:
    kubectl("create", "rolebinding", "bob", "--clusterrole=view", "--user=bob")
    kubectl(
        "create",
        "clusterrole",
        cluster_wide,
        "--verb=get",
        "--resource=secrets",
        f"--resource-name={cluster_wide}",
    )
    assert not can(kubectl, "get", f"secrets/{cluster_wide}")
    label = "rbac.authorization.k8s.io/aggregate-to-view=true"
    kubectl("label", "clusterrole", cluster_wide, label)
    eventually(lambda: can(kubectl, "get", f"secrets/{cluster_wide}"), what="the role is collected")
    kubectl("delete", "clusterrole", cluster_wide)
    eventually(lambda: not can(kubectl, "get", f"secrets/{cluster_wide}"), what="the role is let go of")


def test_a_service_account_has_the_rights_of_its_roles(kubectl: Kubectl, tmp_path: Path) -> None:
    kubectl("create", "serviceaccount", "robot")
    kubectl(
        "create", "rolebinding", "robot", "--clusterrole=edit", f"--serviceaccount={kubectl.namespace}:robot"
    )
    name = f"system:serviceaccount:{kubectl.namespace}:robot"
    eventually(
        lambda: can(kubectl, "create", "configmaps", user=name), what="the rules of edit are aggregated"
    )
    token = kubectl("create", "token", "robot").text.strip()
    raw = kubectl.json("config", "view", "--raw", "--flatten")
    robot = Kubectl(
        kubectl.program,
        kubeconfig_for(tmp_path / "config", raw, {"token": token}),
        kubectl.cache,
        kubectl.namespace,
    )
    robot.apply(pods.config_map("made", {"by": "robot"}))
    assert robot.json("auth", "whoami")["status"]["userInfo"]["username"] == name
    assert robot.attempt("get", "pods", "--all-namespaces").code == 1
    assert robot.attempt("create", "role", "r", "--verb=get", "--resource=pods").code == 1


def test_the_reason_is_told_in_a_review(rest: Rest, space: Space, kubectl: Kubectl) -> None:
    kubectl("create", "rolebinding", "b", "--clusterrole=view", "--user=bob")
    kubectl("create", "rolebinding", "lost", "--clusterrole=nowhere", "--user=eve")
    asked = {"namespace": space.name, "verb": "get", "resource": "namespaces"}

    def answer(user: str, **more: str) -> Object:
        spec = {"user": user, "resourceAttributes": {**asked, **more}}
        reviewed: Object = rest.post("/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": spec})
        status: Object = reviewed["status"]
        return status

    reason = f'RBAC: allowed by RoleBinding "b/{space.name}" of ClusterRole "view" to User "bob"'
    eventually(lambda: answer("bob") == {"allowed": True, "reason": reason}, what="view is aggregated")
    missing = 'RBAC: clusterrole.rbac.authorization.k8s.io "nowhere" not found'
    assert answer("eve") == {"allowed": False, "reason": missing}
    refused = kubectl.attempt("get", "pods", "--as=eve")
    assert refused.errors.rstrip().endswith(f'in the namespace "{space.name}": {missing}')


def test_strangers(cluster: Cluster, rest: Rest) -> None:
    """Nobody in particular sees health and version; a wrong token is no token."""
    nobody = rests.connect(cluster.kubeconfig, anonymous=True)
    assert nobody.request("GET", "/version").code == 200
    assert nobody.request("GET", "/livez").code == 200
    for path in ("/api", "/metrics", "/api/v1/namespaces/default/pods", "/apis/example.com/v1/unheardof"):
        answer = nobody.request("GET", path)
        assert (answer.code, answer.object["reason"]) == (403, "Forbidden"), str(answer)
    wrong = rests.connect(cluster.kubeconfig, token="wrong").request("GET", "/version")
    assert (wrong.code, wrong.object["reason"]) == (401, "Unauthorized")
    assert rest.request("GET", "/apis/example.com/v1/unheardof").code == 404
