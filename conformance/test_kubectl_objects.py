"""kubectl as an editor of objects: apply, create, label, annotate, patch, replace, diff, wait, delete."""

import json
import select
import subprocess
from pathlib import Path

import pytest

from conformance import pods
from conformance.kubectl import Kubectl, manifest
from conformance.space import Space
from conformance.waiting import eventually


def test_apply_creates_changes_and_leaves_alone(each_kubectl: Kubectl) -> None:
    first, second = pods.config_map("a", {"k": "1", "old": "x"}), pods.config_map("a", {"k": "2"})
    assert each_kubectl.apply(first).text == "configmap/a created\n"
    assert each_kubectl.apply(first).text == "configmap/a unchanged\n"
    assert each_kubectl.apply(second).text == "configmap/a configured\n"
    assert each_kubectl.json("get", "configmap", "a")["data"] == {"k": "2"}


def test_apply_keeps_what_others_wrote(kubectl: Kubectl) -> None:
    kubectl.apply(pods.config_map("a", {"k": "1"}))
    kubectl("patch", "configmap", "a", "--type=merge", "-p", '{"data":{"others":"x"}}')
    kubectl.apply(pods.config_map("a", {"k": "2"}))
    assert kubectl.json("get", "configmap", "a")["data"] == {"k": "2", "others": "x"}


def test_apply_refuses_unknown_fields(each_kubectl: Kubectl) -> None:
    body = {**pods.config_map("a", {}), "unheardof": 1}
    result = each_kubectl.attempt("apply", "-f", "-", stdin=manifest(body))
    assert result.code == 1
    assert 'unknown field "unheardof"' in result.errors


def test_apply_of_a_directory(kubectl: Kubectl, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps(pods.config_map(name, {})))
    assert kubectl("apply", "-f", str(tmp_path)).lines == ["configmap/a created", "configmap/b created"]
    assert kubectl("delete", "-f", str(tmp_path)).text.count("deleted") == 2


@pytest.mark.usefixtures("containers")
def test_a_pod_of_two_containers_with_its_configuration(each_kubectl: Kubectl, space: Space) -> None:
    sources = [{"configMapRef": {"name": "settings"}}]
    ref = {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "password"}}}
    mounts = [{"name": "settings", "mountPath": "/settings"}, {"name": "keys", "mountPath": "/keys"}]
    volumes = [
        {"name": "settings", "configMap": {"name": "settings"}},
        {"name": "keys", "secret": {"secretName": "keys"}},
    ]
    one = pods.container(space.image, "echo $COLOR $PASSWORD; " + pods.IDLE, envFrom=sources, env=[ref])
    two_script = "cat /settings/COLOR /keys/password; echo; " + pods.IDLE
    two = pods.container(space.image, two_script, name="two", volumeMounts=mounts)
    each_kubectl.apply(
        pods.config_map("settings", {"COLOR": "red"}),
        pods.secret("keys", {"password": "hunter2"}),
        pods.pod("pair", one, two, volumes=volumes),
    )
    each_kubectl("wait", "--for=condition=Ready", "pod/pair", "--timeout=30s")
    assert each_kubectl("get", "pod", "pair").lines[1].split()[1] == "2/2"
    for container, text in (("main", "red hunter2\n"), ("two", "redhunter2\n")):
        says = lambda c=container, t=text: each_kubectl("logs", "pair", "-c", c).text == t  # noqa: E731
        eventually(says, what=f"{container} says {text!r}")
    each_kubectl("delete", "pod", "pair")


def test_create_without_keeping(kubectl: Kubectl) -> None:
    client = kubectl("create", "configmap", "a", "--from-literal=k=1", "--dry-run=client", "-o", "json")
    assert json.loads(client.output)["data"] == {"k": "1"}
    server = kubectl("create", "configmap", "a", "--from-literal=k=1", "--dry-run=server")
    assert server.text == "configmap/a created (server dry run)\n"
    assert kubectl.attempt("get", "configmap", "a").code == 1


def test_create_twice(kubectl: Kubectl) -> None:
    kubectl("create", "secret", "generic", "a", "--from-literal=k=1")
    result = kubectl.attempt("create", "secret", "generic", "a", "--from-literal=k=1")
    assert result.code == 1
    assert result.errors.endswith('secrets "a" already exists\n')


def test_create_a_namespace(admin: Kubectl) -> None:
    assert (
        admin("create", "namespace", "conformance-by-hand").text == "namespace/conformance-by-hand created\n"
    )
    assert admin("get", "namespace", "conformance-by-hand").lines[1].split()[1] == "Active"
    assert (
        'namespace "conformance-by-hand" deleted' in admin("delete", "namespace", "conformance-by-hand").text
    )
    assert admin.attempt("get", "namespace", "conformance-by-hand").code == 1


def test_get_what_is_not_there(kubectl: Kubectl) -> None:
    result = kubectl.attempt("get", "configmap", "absent")
    assert (result.code, result.errors) == (
        1,
        'Error from server (NotFound): configmaps "absent" not found\n',
    )


def test_labels(kubectl: Kubectl) -> None:
    kubectl.apply(pods.config_map("a", {}))
    assert kubectl("label", "configmap", "a", "color=red").text == "configmap/a labeled\n"
    assert kubectl("get", "configmaps", "-l", "color=red", "-o", "name").text == "configmap/a\n"
    assert kubectl("get", "configmap", "a", "--show-labels").lines[1].split()[-1] == "color=red"
    assert kubectl("get", "configmap", "a", "-L", "color").lines[0].split()[-1] == "COLOR"
    assert kubectl.attempt("label", "configmap", "a", "color=blue").code == 1
    kubectl("label", "configmap", "a", "color=blue", "--overwrite")
    kubectl("label", "configmap", "a", "color-")
    assert "labels" not in kubectl.json("get", "configmap", "a")["metadata"]


def test_annotations(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "a")
    assert kubectl("annotate", "configmap", "a", "note=some words").text == "configmap/a annotated\n"
    assert kubectl.json("get", "configmap", "a")["metadata"]["annotations"] == {"note": "some words"}


@pytest.mark.parametrize(
    ("kind", "patch"),
    [
        ("merge", '{"data": {"k": "2"}}'),
        ("strategic", '{"data": {"k": "2"}}'),
        ("json", '[{"op": "replace", "path": "/data/k", "value": "2"}]'),
    ],
)
def test_patches(kubectl: Kubectl, kind: str, patch: str) -> None:
    kubectl("create", "configmap", "a", "--from-literal=k=1")
    result = kubectl("patch", "configmap", "a", f"--type={kind}", "-p", patch)
    assert result.text == "configmap/a patched\n"
    assert kubectl.json("get", "configmap", "a")["data"] == {"k": "2"}


def test_replace(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "a", "--from-literal=k=1")
    body = kubectl.json("get", "configmap", "a")
    body["data"] = {"new": "2"}
    assert kubectl("replace", "-f", "-", stdin=manifest(body)).text == "configmap/a replaced\n"
    assert kubectl.json("get", "configmap", "a")["data"] == {"new": "2"}
    result = kubectl.attempt("replace", "-f", "-", stdin=manifest(body))
    assert "the object has been modified" in result.errors


def test_replace_by_force(kubectl: Kubectl) -> None:
    kubectl("create", "configmap", "a", "--from-literal=k=1")
    old = kubectl.json("get", "configmap", "a")["metadata"]["uid"]
    kubectl("replace", "--force", "-f", "-", stdin=manifest(pods.config_map("a", {"k": "2"})))
    assert kubectl.json("get", "configmap", "a")["metadata"]["uid"] != old


def test_diff(kubectl: Kubectl) -> None:
    kubectl.apply(pods.config_map("a", {"k": "1"}))
    same = kubectl.attempt("diff", "-f", "-", stdin=manifest(pods.config_map("a", {"k": "1"})))
    assert (same.code, same.text) == (0, "")
    other = kubectl.attempt("diff", "-f", "-", stdin=manifest(pods.config_map("a", {"k": "2"})))
    assert other.code == 1
    assert '-  k: "1"\n+  k: "2"\n' in other.text


def test_edit_with_an_editor_that_changes_a_word(kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch) -> None:
    kubectl("create", "configmap", "a", "--from-literal=k=before")
    monkeypatch.setenv("KUBE_EDITOR", "sed -i s/before/after/")
    assert kubectl("edit", "configmap", "a").text == "configmap/a edited\n"
    assert kubectl.json("get", "configmap", "a")["data"] == {"k": "after"}


def test_wait_for_deletion_and_for_a_field(kubectl: Kubectl, space: Space) -> None:
    space.run("unbound", nodeSelector={"no.such/label": "x"})
    kubectl("wait", "--for=jsonpath={.status.phase}=Pending", "pod/unbound", "--timeout=10s")
    result = kubectl.attempt("wait", "--for=condition=Ready", "pod/unbound", "--timeout=1s")
    assert result.code == 1
    assert "timed out waiting for the condition on pods/unbound" in result.errors
    kubectl("delete", "pod", "unbound", "--wait=false")
    kubectl("wait", "--for=delete", "pod/unbound", "--timeout=10s")


def test_get_by_watching(kubectl: Kubectl, space: Space) -> None:
    process = kubectl.start("get", "configmaps", "--watch-only", "-o", "name", stdout=subprocess.PIPE)
    assert process.stdout
    try:
        created = 0
        while created < 50 and not _readable(process.stdout.fileno()):
            created += 1
            space.config_map(f"item-{created}")
        assert process.stdout.readline().startswith(b"configmap/item-")
    finally:
        process.kill()
        process.communicate()


def test_delete_by_label_and_all(kubectl: Kubectl) -> None:
    for name in "abc":
        kubectl("create", "configmap", name)
    kubectl("label", "configmap", "a", "which=this")
    assert kubectl("delete", "configmaps", "-l", "which=this").text.startswith('configmap "a" deleted')
    assert kubectl("delete", "configmaps", "--all").text.count("deleted") == 3
    result = kubectl("delete", "configmap", "b", "--ignore-not-found")
    assert result.text == ""


def test_services_and_deployments_are_listed(kubectl: Kubectl) -> None:
    kubectl("create", "service", "clusterip", "front", "--tcp=80:8080")
    heading, row = kubectl("get", "service", "front").lines
    assert heading.split() == ["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"]
    assert row.split()[1] == "ClusterIP"
    assert row.split()[3:5] == ["<none>", "80/TCP"]
    kubectl("create", "deployment", "web", "--image=none:1", "--replicas=0")
    heading, row = kubectl("get", "deployment", "web").lines
    assert heading.split() == ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert row.split()[:4] == ["web", "0/0", "0", "0"]


@pytest.mark.parametrize("kind", ["configmap/a", "secret/a", "serviceaccount/default", "namespace/default"])
def test_describe(kubectl: Kubectl, space: Space, kind: str) -> None:
    space.config_map("a", k="1")
    space.secret("a", k="1")
    assert kubectl("describe", kind).lines[0].split() == ["Name:", kind.partition("/")[2]]


def _readable(descriptor: int) -> bool:
    return bool(select.select([descriptor], [], [], 0.1)[0])
