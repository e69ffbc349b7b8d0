"""kubectl's commands for single changes: patch, set, scale, expose, taint, drain and their like."""

import json
from collections.abc import Iterator

import pytest

from conformance.kubectl import Kubectl, Object, manifest

NODE = "by-hand"


def deployment() -> Object:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": name, "image": "none"} for name in ("web", "side")]},
    }
    spec = {"replicas": 0, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}


def at(kubectl: Kubectl, name: str, path: str) -> str:
    return kubectl("get", name, "-o", f"jsonpath={{{path}}}").text


@pytest.fixture
def node(admin: Kubectl) -> Iterator[str]:
    """A Node that no kubelet stands behind, and no pod is put on."""
    spec = {"unschedulable": True}
    body = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE, "labels": {"x": "y"}},
        "spec": spec,
    }
    admin("create", "-f", "-", stdin=manifest(body))
    yield NODE
    admin("delete", "node", NODE)


def test_a_patch_that_leaves_no_object_behind(each_kubectl: Kubectl) -> None:
    each_kubectl("create", "-f", "-", stdin=manifest(deployment()))
    refused = each_kubectl.attempt("patch", "deployment", "web", "-p", '{"metadata": {"labels": "invalid"}}')
    assert refused.code == 1
    assert "cannot restore map from string" in refused.errors
    refused = each_kubectl.attempt("patch", "deployment", "web", "-p", '{"spec": {"template": {"spec": 1}}}')
    assert "cannot restore struct from: int64" in refused.errors
    merged = each_kubectl.attempt(
        "patch", "deployment", "web", "--type=merge", "-p", '{"metadata": {"labels": "invalid"}}'
    )
    assert "cannot unmarshal string into Go struct field ObjectMeta.metadata.labels" in merged.errors


def test_a_patch_that_changes_nothing(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=manifest(deployment()))
    for _ in range(2):
        done = kubectl("patch", "deployment", "web", "-p", '{"metadata": {"labels": {"a": "b"}}}')
    assert done.text == "deployment.apps/web patched (no change)\n"


def test_a_patch_of_another_version_of_the_object(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=manifest(deployment()))
    body = json.dumps({"metadata": {"resourceVersion": "1", "labels": {"a": "b"}}})
    refused = kubectl.attempt("patch", "deployment", "web", "-p", body)
    assert refused.errors == (
        'Error from server (Conflict): Operation cannot be fulfilled on deployments.apps "web": the object'
        " has been modified; please apply your changes to the latest version and try again\n"
    )


def test_a_body_that_is_no_json(kubectl: Kubectl) -> None:
    refused = kubectl.attempt("create", "--raw", "/api/v1/namespaces", "-f", "-", stdin="kind: Pod")
    assert refused.errors.startswith(
        "Error from server (BadRequest): the object provided is unrecognized (must be of type Namespace):"
        " couldn't get version/kind; json parse error: invalid character 'k' looking for beginning of value"
    )


def test_subresources_are_shown_and_changed(each_kubectl: Kubectl) -> None:
    each_kubectl("create", "-f", "-", stdin=manifest(deployment()))
    shown = each_kubectl("get", "deployment", "web", "--subresource=scale")
    assert [line.split()[:3] for line in shown.lines] == [["NAME", "DESIRED", "AVAILABLE"], ["web", "0", "0"]]
    shown = each_kubectl("get", "deployment", "web", "--subresource=status")
    assert shown.lines[0].split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    patch = ("patch", "deployment", "web", "--type=merge")
    done = each_kubectl(*patch, "--subresource=scale", "-p", '{"spec": {"replicas": 0}}')
    assert done.text.startswith("scale.autoscaling/web patched")
    each_kubectl(*patch, "--subresource=status", "-p", '{"status": {"conditions": []}}')
    refused = each_kubectl.attempt("get", "service", "kubernetes", "-n", "default", "--subresource=scale")
    assert (
        refused.errors == "Error from server (NotFound): the server could not find the requested resource\n"
    )


def test_scaling_has_preconditions(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=manifest(deployment()))
    scale = ("scale", "deployment", "web", "--replicas=0")
    assert kubectl(*scale, "--current-replicas=0").text == "deployment.apps/web scaled\n"
    refused = kubectl.attempt(*scale, "--current-replicas=3")
    assert refused.errors == "error: Expected replicas to be 3, was 0\n"
    assert "Expected resource version to be 1" in kubectl.attempt(*scale, "--resource-version=1").errors


def test_set_changes_parts_of_a_template(each_kubectl: Kubectl) -> None:
    each_kubectl("create", "-f", "-", stdin=manifest(deployment()))
    containers = ".spec.template.spec.containers[*]"
    each_kubectl("set", "image", "deployment/web", "*=two")
    assert at(each_kubectl, "deployment/web", f"{containers}.image") == "two two"
    each_kubectl("set", "env", "deployment/web", "-c", "side", "A=b")
    assert at(each_kubectl, "deployment/web", f"{containers}.env[0].value") == "b"
    each_kubectl("set", "resources", "deployment/web", "-c=web", "--limits=cpu=300m", "--requests=cpu=100m")
    assert at(each_kubectl, "deployment/web", f"{containers}.resources.limits.cpu") == "300m"
    each_kubectl("set", "serviceaccount", "deployment", "web", "default")
    assert at(each_kubectl, "deployment/web", ".spec.template.spec.serviceAccountName") == "default"
    refused = each_kubectl.attempt("set", "resources", "deployment/web", "-c=web", "--requests=cpu=1")
    assert "must be less than or equal to cpu limit of 300m" in refused.errors
    assert at(each_kubectl, "deployment/web", ".metadata.generation") == "5"


def test_selectors_and_subjects_are_set(kubectl: Kubectl) -> None:
    kubectl("create", "service", "clusterip", "front", "--tcp=80")
    kubectl("set", "selector", "service", "front", "role=padawan")
    assert at(kubectl, "service/front", ".spec.selector") == '{"role":"padawan"}'
    refused = kubectl.attempt("set", "selector", "service", "front", "a=b", "--resource-version=1")
    assert "Error from server (Conflict)" in refused.errors
    kubectl("create", "rolebinding", "binding", "--clusterrole=view", "--user=one")
    kubectl("set", "subject", "rolebinding", "binding", "--user=two", "--serviceaccount=ns:name")
    assert at(kubectl, "rolebinding/binding", ".subjects[*].name") == "one two name"


def test_pods_and_services_are_exposed(kubectl: Kubectl) -> None:
    kubectl("create", "-f", "-", stdin=manifest(deployment()))
    assert kubectl("expose", "deployment", "web", "--port=80").text == "service/web exposed\n"
    kubectl("expose", "service", "web", "--name=other")
    assert at(kubectl, "service/other", ".spec.ports[0].port") == "80"
    long = "longer-than-the-sixty-three-characters-that-the-name-of-a-service-may-have"
    refused = kubectl.attempt("expose", "service", "web", f"--name={long}")
    assert refused.errors.startswith(
        f'The Service "{long}" is invalid: metadata.name: Invalid value: "{long}"'
    )


def test_autoscalers_are_made(each_kubectl: Kubectl) -> None:
    each_kubectl("create", "-f", "-", stdin=manifest(deployment()))
    each_kubectl("autoscale", "deployment", "web", "--max=3", "--cpu-percent=70")
    old = "horizontalpodautoscaler.v1.autoscaling/web"
    assert at(each_kubectl, old, ".spec.targetCPUUtilizationPercentage") == "70"
    assert "cpu: <unknown>/70%" in each_kubectl("get", "hpa").text


def test_a_node_made_by_hand_is_replaced(admin: Kubectl, node: str) -> None:
    body = {"apiVersion": "v1", "kind": "Node"}
    own = {"name": node, "annotations": {"a": "b"}, "labels": {"x": "y"}, "resourceVersion": "0"}
    changed = {**body, "metadata": own, "spec": {"unschedulable": True}}
    assert admin("replace", "-f", "-", stdin=manifest(changed)).text == f"node/{node} replaced\n"
    assert at(admin, f"node/{node}", ".metadata.annotations.a") == "b"


def test_nodes_are_tainted_cordoned_and_drained(kubectl: Kubectl, admin: Kubectl, node: str) -> None:
    assert admin("taint", "node", node, "dedicated=x:PreferNoSchedule").text == f"node/{node} tainted\n"
    assert "kubectl-taint" in admin("get", "node", node, "-o", "yaml", "--show-managed-fields").text
    assert admin("taint", "node", node, "dedicated-").text == f"node/{node} untainted\n"
    assert admin("uncordon", node, "--dry-run=server").text == f"node/{node} uncordoned (server dry run)\n"
    for name in ("one", "two"):
        own = {"name": name, "labels": {"which": name}}
        containers = [{"name": "c", "image": "none"}]
        spec = {"nodeName": node, "terminationGracePeriodSeconds": 1, "containers": containers}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": own, "spec": spec}
        kubectl("create", "-f", "-", stdin=manifest(pod))
    drain = ("drain", node, "--force", "--pod-selector=which=one")
    assert "evicting pod" in admin(*drain, "--dry-run=server").text
    assert at(kubectl, "pod/one", ".metadata.deletionTimestamp") == ""
    admin(*drain, "--skip-wait-for-delete-timeout=1")
    gone = kubectl.attempt("get", "pod", "one", "-o", "jsonpath={.metadata.deletionTimestamp}")
    assert gone.text or "not found" in gone.errors
    assert at(kubectl, "pod/two", ".metadata.deletionTimestamp") == ""
    kubectl("delete", "pods", "--all", "--force", "--grace-period=0")


def test_events_of_an_object(each_kubectl: Kubectl) -> None:
    involved = {
        "kind": "CronJob",
        "name": "pi",
        "namespace": each_kubectl.namespace,
        "apiVersion": "batch/v1",
    }
    event = {
        "apiVersion": "v1", "kind": "Event", "metadata": {"name": "pi.1"}, "involvedObject": involved,
        "type": "Warning", "reason": "InvalidSchedule", "message": "never", "count": 1,
        "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    each_kubectl("create", "-f", "-", stdin=manifest(event))
    row = each_kubectl("events", "--for=CronJob/pi", "--types=Warning", "--no-headers").text.split()
    assert row[1:4] == ["Warning", "InvalidSchedule", "CronJob/pi"]
    assert "InvalidSchedule" not in each_kubectl("events", "--for=CronJob/pi", "--types=Normal").text
    shown = each_kubectl("get", "events", "--field-selector=reason=InvalidSchedule,involvedObject.name=pi")
    assert shown.lines[0].split() == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert shown.lines[1].split()[1:] == ["Warning", "InvalidSchedule", "cronjob/pi", "never"]


def test_an_apply_set_prunes_what_left_it(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECTL_APPLYSET", "true")
    maps = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}} for name in ("one", "two")]
    apply = ("apply", "--prune", "--applyset=secret/parts", "-f", "-")
    kubectl(*apply, stdin=manifest(*maps))
    done = kubectl(*apply, stdin=manifest(maps[0]))
    assert "configmap/two pruned" in done.text
    assert kubectl("get", "configmap", "one", "-o", "name").text == "configmap/one\n"
