"""kubectl apply, on the client's side and the server's, and the commands that change what was applied."""

import json
import os
from pathlib import Path
from typing import Any

from conformance import pods
from conformance.kubectl import Kubectl, manifest

Object = dict[str, Any]


def deployment(replicas: int = 0, image: str = "one") -> Object:
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [{"name": "web", "image": image, "ports": [{"containerPort": 80}]}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template,
        },
    }


def server_side(kubectl: Kubectl, obj: Object, *more: str) -> Any:
    return kubectl.attempt("apply", "--server-side", "-f", "-", *more, stdin=manifest(obj))


def managers(kubectl: Kubectl) -> set[tuple[str, str, str]]:
    found = kubectl.json("get", "deployment", "web", "--show-managed-fields")
    entries = found["metadata"]["managedFields"]
    return {(entry["manager"], entry["operation"], entry.get("subresource", "")) for entry in entries}


def test_server_side_apply_creates_changes_and_leaves_alone(each_kubectl: Kubectl) -> None:
    assert server_side(each_kubectl, deployment()).text == "deployment.apps/web serverside-applied\n"
    before = each_kubectl.json("get", "deployment", "web")
    assert server_side(each_kubectl, deployment()).code == 0
    after = each_kubectl.json("get", "deployment", "web")
    assert before["metadata"]["generation"] == after["metadata"]["generation"]
    assert server_side(each_kubectl, deployment(image="two")).code == 0
    found = each_kubectl.json("get", "deployment", "web")
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "two"
    assert "last-applied" not in str(found["metadata"].get("annotations"))


def test_managed_fields_are_shown_when_asked_for(each_kubectl: Kubectl) -> None:
    server_side(each_kubectl, deployment())
    assert "managedFields" not in each_kubectl("get", "deployment", "web", "-o", "yaml").text
    assert ("kubectl", "Apply", "") in managers(each_kubectl)


def test_conflicts_are_named_and_can_be_forced(each_kubectl: Kubectl) -> None:
    server_side(each_kubectl, deployment())
    each_kubectl("scale", "deployment", "web", "--replicas=1")
    each_kubectl("scale", "deployment", "web", "--replicas=0")
    refused = server_side(each_kubectl, deployment(replicas=2))
    assert refused.code == 1
    assert "Apply failed with 1 conflict: conflict with" in refused.errors
    assert 'with subresource "scale" using apps/v1: .spec.replicas' in refused.errors
    assert "--force-conflicts" in refused.errors
    forced = server_side(each_kubectl, deployment(replicas=0), "--force-conflicts")
    assert forced.text == "deployment.apps/web serverside-applied\n"


def test_two_managers_conflict_over_values(kubectl: Kubectl) -> None:
    server_side(kubectl, deployment(image="one"))
    refused = server_side(kubectl, deployment(replicas=1, image="two"), "--field-manager=other")
    assert refused.code == 1
    listed = (
        'Apply failed with 2 conflicts: conflicts with "kubectl":\n'
        "- .spec.replicas\n"
        '- .spec.template.spec.containers[name="web"].image'
    )
    assert listed in refused.errors


def test_fields_that_are_not_applied_any_more_go(each_kubectl: Kubectl) -> None:
    server_side(each_kubectl, pods.config_map("a", {"k": "1", "old": "x"}))
    server_side(each_kubectl, pods.config_map("a", {"k": "1"}))
    assert each_kubectl.json("get", "configmap", "a")["data"] == {"k": "1"}


def test_server_side_apply_takes_over_from_the_clients(each_kubectl: Kubectl) -> None:
    each_kubectl.apply(deployment(image="one"))
    taken = server_side(each_kubectl, deployment(image="two"))
    assert taken.code == 0, str(taken)
    owned = managers(each_kubectl)
    assert ("kubectl", "Apply", "") in owned
    assert ("kubectl-client-side-apply", "Update", "") not in owned
    assert each_kubectl.apply(deployment(image="three")).text == "deployment.apps/web configured\n"


def test_diff_on_the_server_shows_what_would_change(each_kubectl: Kubectl) -> None:
    server_side(each_kubectl, deployment(image="one"))
    same = each_kubectl.attempt("diff", "--server-side", "-f", "-", stdin=manifest(deployment(image="one")))
    assert (same.code, same.text) == (0, "")
    other = each_kubectl.attempt("diff", "--server-side", "-f", "-", stdin=manifest(deployment(image="two")))
    assert other.code == 1
    assert "-      - image: one" in other.text
    assert "+      - image: two" in other.text


def test_a_dry_run_on_the_server_changes_nothing(kubectl: Kubectl) -> None:
    shown = server_side(kubectl, pods.config_map("a", {"k": "1"}), "--dry-run=server")
    assert shown.text == "configmap/a serverside-applied (server dry run)\n"
    assert kubectl.attempt("get", "configmap", "a").code == 1


def test_an_unknown_field_is_no_part_of_the_schema(kubectl: Kubectl) -> None:
    wrong = deployment()
    wrong["spec"]["unheardof"] = 1
    refused = server_side(kubectl, wrong, "--validate=false")
    assert refused.code == 1
    assert ".spec.unheardof: field not declared in schema" in refused.errors


def test_set_label_annotate_and_scale_own_what_they_change(each_kubectl: Kubectl) -> None:
    server_side(each_kubectl, deployment())
    each_kubectl("set", "image", "deployment/web", "web=two")
    each_kubectl("label", "deployment", "web", "colour=red")
    each_kubectl("annotate", "deployment", "web", "note=this")
    operations = {operation for _, operation, _ in managers(each_kubectl)}
    assert {"kubectl-set", "kubectl-label", "kubectl-annotate"} <= {
        manager for manager, _, _ in managers(each_kubectl)
    }
    assert operations == {"Apply", "Update"}


def test_edit_saves_what_the_editor_wrote(each_kubectl: Kubectl, tmp_path: Path) -> None:
    each_kubectl.apply(pods.config_map("a", {"k": "before"}))
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/k: before/k: after/" "$1"\n')
    editor.chmod(0o755)
    environment = {**os.environ, "KUBE_EDITOR": str(editor)}
    editing = each_kubectl.start("edit", "configmap", "a", env=environment)
    assert editing.wait(timeout=60) == 0
    assert each_kubectl.json("get", "configmap", "a")["data"] == {"k": "after"}


def test_create_can_save_what_it_created_for_apply(each_kubectl: Kubectl) -> None:
    each_kubectl("create", "--save-config", "-f", "-", stdin=manifest(pods.config_map("a", {"k": "1"})))
    shown = each_kubectl("apply", "view-last-applied", "configmap", "a", "-o", "json")
    assert json.loads(shown.output)["data"] == {"k": "1"}
    assert each_kubectl.apply(pods.config_map("a", {"k": "2"})).text == "configmap/a configured\n"


def test_prune_deletes_what_is_not_in_the_files(each_kubectl: Kubectl) -> None:
    one, two = pods.config_map("one", {}), pods.config_map("two", {})
    for obj in (one, two):
        obj["metadata"]["labels"] = {"set": "x"}
    each_kubectl.apply(one, two)
    result = each_kubectl(
        "apply",
        "-f",
        "-",
        "--prune",
        "-l",
        "set=x",
        "--prune-allowlist=core/v1/ConfigMap",
        stdin=manifest(one),
    )
    assert "configmap/two pruned" in result.text
    assert each_kubectl.attempt("get", "configmap", "two").code == 1
