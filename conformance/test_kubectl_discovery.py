"""What kubectl learns about the API: resources, versions, explanations, who I am."""

import json

import pytest

from conformance.kubectl import Kubectl


def test_api_versions(each_kubectl: Kubectl) -> None:
    lines = each_kubectl("api-versions").lines
    assert {"v1", "apps/v1", "batch/v1", "networking.k8s.io/v1", "rbac.authorization.k8s.io/v1"} <= set(lines)


def test_api_resources(each_kubectl: Kubectl) -> None:
    """Of several groups that have a resource of one name the first is what the name alone means."""
    lines = reversed(each_kubectl("api-resources").lines)
    rows = {line.split()[0]: line.split()[1:] for line in lines}
    assert rows["pods"] == ["po", "v1", "true", "Pod"]
    assert rows["deployments"] == ["deploy", "apps/v1", "true", "Deployment"]
    assert rows["nodes"] == ["no", "v1", "false", "Node"]


def test_api_resources_by_group_and_verb(kubectl: Kubectl) -> None:
    names = kubectl("api-resources", "--api-group=apps", "-o", "name").lines
    assert "deployments.apps" in names
    assert all(name.endswith(".apps") for name in names)
    assert "bindings" not in kubectl("api-resources", "--verbs=list", "-o", "name").lines


def test_version(each_kubectl: Kubectl) -> None:
    found = json.loads(each_kubectl("version", "-o", "json").output)
    assert found["serverVersion"]["gitVersion"].startswith("v1.")


def test_cluster_info(kubectl: Kubectl) -> None:
    assert "Kubernetes control plane" in kubectl("cluster-info").text


def test_explain(each_kubectl: Kubectl) -> None:
    text = each_kubectl("explain", "pod.spec.containers.imagePullPolicy").text
    assert "KIND:       Pod" in text
    assert "Image pull policy. One of Always, Never, IfNotPresent." in text


def test_explain_recursively(kubectl: Kubectl) -> None:
    text = kubectl("explain", "deployment", "--recursive").text
    assert "GROUP:      apps" in text
    assert "matchLabels" in text


def test_explain_of_a_field_that_does_not_exist(kubectl: Kubectl) -> None:
    result = kubectl.attempt("explain", "pod.unheardof")
    assert result.code == 1
    assert 'field "unheardof" does not exist' in result.errors


def test_who_am_i(kubectl: Kubectl) -> None:
    user = json.loads(kubectl("auth", "whoami", "-o", "json").output)["status"]["userInfo"]
    assert user["username"]
    assert "system:authenticated" in user["groups"]


def test_may_i(kubectl: Kubectl) -> None:
    assert kubectl("auth", "can-i", "create", "pods").text == "yes\n"


@pytest.mark.parametrize("path", ["/healthz", "/readyz?verbose", "/version", "/apis"])
def test_raw_requests(kubectl: Kubectl, path: str) -> None:
    assert kubectl("get", "--raw", path).text
