"""Custom resources over plain HTTPS: discovery's speed, changes on open watches, deletion, namespaces."""

import time
from collections.abc import Iterator

import pytest

from conformance import customs
from conformance.customs import CRDS, Customs, version
from conformance.rest import MERGE, Rest
from conformance.space import Space
from conformance.waiting import eventually


@pytest.fixture
def tabs(rest: Rest, space: Space) -> Iterator[Customs]:
    with customs.opened(rest, space.name) as opened:
        yield opened


def test_discovery_follows_within_a_tenth_of_a_second(rest: Rest, tabs: Customs) -> None:
    rest.post(CRDS, tabs.definition())
    began = time.monotonic()
    paths = (f"/apis/{tabs.group}/v1", f"/openapi/v3/apis/{tabs.group}/v1")
    eventually(lambda: rest.request("GET", paths[0]).code == 200, what="the group is there", every=0.002)
    assert time.monotonic() - began < 0.1
    found = rest.get(paths[1])["components"]["schemas"]
    assert any(name.endswith(".v1.CronTab") for name in found)
    assert f"apis/{tabs.group}/v1" in rest.get("/openapi/v3")["paths"]


def test_a_watch_ends_when_its_version_is_no_longer_served(rest: Rest, tabs: Customs) -> None:
    tabs.establish(version("v1"), version("v2", storage=False))
    with rest.watch(tabs.path("v2")) as events:
        rest.post(tabs.collection, tabs.tab("a"))
        assert next(events)["object"]["apiVersion"] == f"{tabs.group}/v2"
        definition = rest.get(f"{CRDS}/{tabs.name}")
        definition["spec"]["versions"][1]["served"] = False
        rest.put(f"{CRDS}/{tabs.name}", definition)
        assert list(events) == []
    assert rest.request("GET", tabs.path("v2")).code == 404


def test_an_instance_with_a_finalizer_holds_the_definition(rest: Rest, tabs: Customs) -> None:
    tabs.establish()
    held = tabs.tab("held")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    rest.post(tabs.collection, held)
    rest.delete(f"{CRDS}/{tabs.name}")
    eventually(
        lambda: tabs.condition("Terminating").get("reason") == "InstanceDeletionInProgress",
        what="the definition is terminating",
    )
    refused = rest.refusal(405, "POST", tabs.collection, tabs.tab("late"))
    assert refused["message"] == "create not allowed while custom resource definition is terminating"
    rest.patch(f"{tabs.collection}/held", {"metadata": {"finalizers": None}})
    rest.gone(f"{CRDS}/{tabs.name}")


def test_a_namespace_takes_its_custom_resources_along(rest: Rest, tabs: Customs) -> None:
    tabs.establish()
    name = f"{tabs.namespace}-more"
    rest.post("/api/v1/namespaces", {"metadata": {"name": name}})
    path = f"/apis/{tabs.group}/v1/namespaces/{name}/crontabs"
    rest.post(path, tabs.tab("a"))
    rest.delete(f"/api/v1/namespaces/{name}")
    rest.gone(f"/api/v1/namespaces/{name}")
    assert rest.get(path)["items"] == []


def test_versions_are_listed_in_their_order_of_priority(rest: Rest, tabs: Customs) -> None:
    names = ["v1alpha1", "v1", "v2beta1", "v10"]
    tabs.establish(*(version(name, storage=name == "v1") for name in names))
    group = rest.get(f"/apis/{tabs.group}")
    assert [each["version"] for each in group["versions"]] == ["v10", "v1", "v2beta1", "v1alpha1"]
    assert group["preferredVersion"]["version"] == "v10"


def test_a_stored_version_may_not_be_dropped(rest: Rest, tabs: Customs) -> None:
    tabs.establish(version("v1"))
    definition = rest.get(f"{CRDS}/{tabs.name}")
    definition["spec"]["versions"] = [version("v2")]
    refused = rest.refusal(422, "PUT", f"{CRDS}/{tabs.name}", definition)
    assert refused["details"]["causes"][0]["field"] == "status.storedVersions[0]"


def test_new_defaults_show_on_what_is_stored_already(rest: Rest, tabs: Customs) -> None:
    tabs.establish()
    rest.post(tabs.collection, tabs.tab("a"))
    definition = rest.get(f"{CRDS}/{tabs.name}")
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["suspend"] = {"type": "boolean", "default": False}
    rest.put(f"{CRDS}/{tabs.name}", definition)
    eventually(
        lambda: rest.get(f"{tabs.collection}/a")["spec"].get("suspend") is False,
        what="the default is seen",
    )


def test_a_watch_ends_with_its_definition(rest: Rest, tabs: Customs) -> None:
    tabs.establish()
    rest.post(tabs.collection, tabs.tab("a"))
    with rest.watch(tabs.collection) as events:
        assert next(events)["type"] == "ADDED"
        rest.delete(f"{CRDS}/{tabs.name}")
        assert [event["type"] for event in events] == ["DELETED"]


def test_a_rule_that_was_broken_before_is_a_warning(rest: Rest, tabs: Customs) -> None:
    tabs.establish()
    rest.post(tabs.collection, tabs.tab("a", image="one"))
    definition = rest.get(f"{CRDS}/{tabs.name}")
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    rule = {"rule": "self.startsWith('two')", "message": "two it must be"}
    schema["properties"]["image"]["x-kubernetes-validations"] = [rule]
    rest.put(f"{CRDS}/{tabs.name}", definition)
    late = tabs.tab("late", image="one")
    eventually(
        lambda: rest.request("POST", tabs.collection, late, dryRun="All").code == 422,
        what="the rule is known",
    )
    patch = {"spec": {"cronSpec": "* * * * *"}}
    answer = rest.request("PATCH", f"{tabs.collection}/a", patch, content_type=MERGE)
    assert answer.code == 200
    assert "two it must be" in answer.headers["warning"]


def test_kind_and_version_of_an_object_are_those_of_its_path(rest: Rest, tabs: Customs) -> None:
    tabs.establish()
    refused = rest.refusal(422, "POST", tabs.collection, {**tabs.tab("a"), "kind": "Other"})
    assert refused["details"]["causes"][0]["message"] == 'Invalid value: "Other": must be CronTab'
    refused = rest.refusal(400, "POST", tabs.collection, {**tabs.tab("a"), "apiVersion": ""})
    assert "does not match the expected API version" in refused["message"]


def test_unchecked_formats_are_warned_of(rest: Rest, tabs: Customs) -> None:
    wanted = version("v1")
    spec = wanted["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["image"]["format"] = "image-name"
    answer = rest.request("POST", CRDS, tabs.definition(wanted))
    assert answer.headers["warning"] == '299 - "unrecognized format \\"image-name\\""'
