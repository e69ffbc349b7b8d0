"""kubectl and custom resources: definitions, instances, columns, scale, explain, deletion."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import customs
from conformance.customs import Customs, version
from conformance.kubectl import Kubectl, manifest
from conformance.rest import Rest
from conformance.space import Space


@pytest.fixture
def tabs(rest: Rest, space: Space) -> Iterator[Customs]:
    with customs.opened(rest, space.name) as opened:
        yield opened


def test_a_definition_is_applied_waited_for_and_used(each_kubectl: Kubectl, tabs: Customs) -> None:
    each_kubectl.apply(tabs.definition())
    each_kubectl("wait", "--for=condition=Established", f"crd/{tabs.name}", "--timeout=10s")
    each_kubectl.apply(tabs.tab("a", cronSpec="* * * * */5", image="busybox"))
    lines = each_kubectl("get", f"crontabs.{tabs.group}").lines
    assert lines[0].split() == ["NAME", "SPEC", "REPLICAS"]
    assert lines[1].split() == ["a", "*", "*", "*", "*", "*/5", "1"]
    wide = each_kubectl("get", f"crontabs.{tabs.group}", "-o", "wide").lines
    assert wide[0].split() == ["NAME", "SPEC", "REPLICAS", "IMAGE"]
    assert each_kubectl("delete", f"crontabs.{tabs.group}", "a").text.count("deleted") == 1


def test_a_category_and_the_resources_of_a_group(kubectl: Kubectl, tabs: Customs) -> None:
    tabs.establish()
    kubectl.apply(tabs.tab("a"))
    listed = kubectl("api-resources", f"--api-group={tabs.group}", "-o", "wide").lines[1].split()
    assert listed[:5] == ["crontabs", "ct", f"{tabs.group}/v1", "true", "CronTab"]
    assert kubectl("get", "tabs", "-o", "name").lines == [f"crontab.{tabs.group}/a"]


def test_scale_patch_label_and_status(kubectl: Kubectl, tabs: Customs) -> None:
    tabs.establish()
    name = f"crontabs.{tabs.group}/a"
    kubectl.apply(tabs.tab("a", image="one"))
    kubectl("scale", "--replicas=3", name)
    kubectl("patch", name, "--type=merge", "-p", json.dumps({"spec": {"image": "two"}}))
    kubectl("patch", name, "--type=json", "-p", '[{"op":"add","path":"/spec/cronSpec","value":"x"}]')
    status = json.dumps({"status": {"replicas": 2}})
    kubectl("patch", name, "--subresource=status", "--type=merge", "-p", status)
    kubectl("label", name, "app=a")
    found = kubectl.json("get", name)
    assert found["spec"] == {"cronSpec": "x", "image": "two", "replicas": 3}
    assert found["status"] == {"replicas": 2}
    assert found["metadata"]["generation"] == 4


def test_apply_diff_and_replace(each_kubectl: Kubectl, tabs: Customs) -> None:
    tabs.establish()
    each_kubectl.apply(tabs.tab("a", image="one"))
    body = manifest(tabs.tab("a", image="one"))
    assert each_kubectl.attempt("diff", "-f", "-", stdin=body).code == 0
    changed = manifest(tabs.tab("a", image="two"))
    assert each_kubectl.attempt("diff", "-f", "-", stdin=changed).code == 1
    each_kubectl("replace", "-f", "-", stdin=changed)
    assert each_kubectl.json("get", f"crontabs.{tabs.group}", "a")["spec"]["image"] == "two"


def test_what_the_schema_forbids_is_told(each_kubectl: Kubectl, tabs: Customs) -> None:
    tabs.establish()
    bad = each_kubectl.attempt("create", "-f", "-", stdin=manifest(tabs.tab("a", replicas=-1)))
    assert bad.code == 1
    assert bad.errors.startswith('The CronTab "a" is invalid: ')
    assert "spec.replicas in body should be greater than or equal to 0" in bad.errors
    unknown = each_kubectl.attempt("create", "-f", "-", stdin=manifest(tabs.tab("a", what=1)))
    assert 'unknown field "spec.what"' in unknown.errors


def test_explain_tells_of_the_schema(each_kubectl: Kubectl, tabs: Customs, tmp_path: Path) -> None:
    """Without what kubectl remembers of discovery: it would find the resource in another test's group."""
    tabs.establish()
    each_kubectl = replace(each_kubectl, cache=tmp_path)
    resource = f"crontabs.{tabs.group}"
    text = each_kubectl("explain", f"{resource}.spec").text
    assert "What is wanted." in text
    assert "cronSpec\t<string>" in text
    assert "When it runs." in text
    assert "replicas" in each_kubectl("explain", resource, "--recursive").text


def test_a_definition_goes_with_its_instances(kubectl: Kubectl, tabs: Customs) -> None:
    tabs.establish()
    kubectl.apply(tabs.tab("a"), tabs.tab("b"))
    kubectl("delete", "crd", tabs.name, "--timeout=20s")
    assert kubectl.attempt("get", "crd", tabs.name).code == 1
    assert f"/apis/{tabs.group}" not in kubectl("get", "--raw", "/").text


def test_conditions_are_described(kubectl: Kubectl, tabs: Customs) -> None:
    tabs.establish(version("v1"))
    text = kubectl("describe", "crd", tabs.name).text
    assert "Reason:                NoConflicts" in text
    assert "Stored Versions:" in text
