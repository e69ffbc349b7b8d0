"""A release's life as Helm leads it, call by call: Secrets, three-way patches, hooks, definitions."""

import base64
import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from conformance import customs
from conformance.customs import Customs
from conformance.rest import JSON_PATCH, MERGE, STRATEGIC, Object, Rest
from conformance.space import Space
from conformance.waiting import eventually

RELEASE = "helm.sh/release.v1"
APPS = "apis/apps/v1"
MANAGED = {"app.kubernetes.io/managed-by": "Helm"}


@pytest.fixture
def tabs(rest: Rest, space: Space) -> Iterator[Customs]:
    with customs.opened(rest, space.name) as opened:
        yield opened


def test_releases_are_kept_in_secrets(rest: Rest, space: Space) -> None:
    for version, status in ((1, "superseded"), (2, "pending-upgrade")):
        space.create(_release(version, status), "secrets")
    found = rest.get(space.path("secrets"), labelSelector="name=web,owner=helm,status=pending-upgrade")
    assert [item["metadata"]["name"] for item in found["items"]] == ["sh.helm.release.v1.web.v2"]
    assert found["items"][0]["type"] == RELEASE
    # Helm replaces what it wrote before without saying which version it read.
    replaced = rest.put(space.path("secrets", "sh.helm.release.v1.web.v2"), _release(2, "deployed"))
    assert replaced["metadata"]["labels"]["status"] == "deployed"
    found = rest.get(space.path("secrets"), labelSelector="owner=helm,status!=superseded")
    assert _content(found["items"][0]) == {"version": 2, "status": "deployed"}
    again = rest.request("POST", space.path("secrets"), _release(2, "deployed"))
    assert (again.code, again.object["reason"]) == (409, "AlreadyExists")


def test_a_release_as_large_as_a_secret_may_be(rest: Rest, space: Space) -> None:
    """1 MiB of data, no more."""
    body = _release(1, "deployed")
    body["data"] = {"release": base64.b64encode(b"x" * 1_048_576).decode()}
    assert len(space.create(body, "secrets")["data"]["release"]) > 1_048_576
    body["metadata"]["name"] = "larger"
    body["data"]["more"] = base64.b64encode(b"x").decode()
    refused = rest.request("POST", space.path("secrets"), body)
    assert (refused.code, refused.object["details"]["causes"][0]["reason"]) == (422, "FieldValueTooLong")


def test_an_upgrade_keeps_what_others_set(rest: Rest, space: Space) -> None:
    """The patch is made of the old manifest, the new one and what is there; it names what is gone."""
    path = space.path("deployments", "web", group=APPS)
    rest.post(space.path("deployments", group=APPS), _deployment("a:1"), fieldManager="helm")
    sidecar = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "s:1"}]}}}}
    rest.patch(path, sidecar, content_type=STRATEGIC)
    container = {"name": "web", "image": "a:2", "env": [{"$patch": "delete", "name": "OLD"}]}
    order = {"$setElementOrder/containers": [{"name": "web"}], "containers": [container]}
    upgrade = {"spec": {"template": {"spec": order}}}
    found = rest.patch(path, upgrade, content_type=STRATEGIC, fieldManager="helm")
    containers = {each["name"]: each for each in found["spec"]["template"]["spec"]["containers"]}
    assert (containers["web"]["image"], containers["side"]["image"]) == ("a:2", "s:1")
    assert [each["name"] for each in containers["web"]["env"]] == ["NEW"]
    assert found["metadata"]["generation"] == 3
    assert "helm" in {entry["manager"] for entry in found["metadata"]["managedFields"]}


def test_a_patch_that_changes_nothing_writes_nothing(rest: Rest, space: Space) -> None:
    created = space.config_map("a", k="1")
    again = rest.patch(space.path("configmaps", "a"), {"data": {"k": "1"}}, content_type=STRATEGIC)
    assert again["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]


def test_ownership_is_taken_over_by_labels(rest: Rest, space: Space) -> None:
    space.config_map("a", k="1")
    annotations = {"meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": space.name}
    adopted = rest.patch(
        space.path("configmaps", "a"),
        {"metadata": {"labels": MANAGED, "annotations": annotations}},
        content_type=MERGE,
    )
    assert adopted["metadata"]["labels"] == MANAGED


def test_server_side_apply_takes_a_release_over(rest: Rest, space: Space) -> None:
    """Helm 4: what a client-side Helm wrote is applied with its new manager, by force."""
    path = space.path("deployments", "web", group=APPS)
    rest.post(space.path("deployments", group=APPS), _deployment("a:1"), fieldManager="helm")
    conflict = rest.request(
        "PATCH", path, _deployment("a:2"), content_type="application/apply-patch+yaml", fieldManager="helm4"
    )
    assert (conflict.code, conflict.object["reason"]) == (409, "Conflict")
    options = {"fieldManager": "helm4", "force": "true"}
    applied = rest.patch(path, _deployment("a:2"), content_type="application/apply-patch+yaml", **options)
    assert applied["spec"]["template"]["spec"]["containers"][0]["image"] == "a:2"


def test_a_hook_is_watched_until_it_is_done_and_deleted(rest: Rest, space: Space) -> None:
    jobs = space.path("jobs", group="apis/batch/v1")
    rest.post(jobs, _job())
    listed = rest.get(jobs, fieldSelector="metadata.name=hook")
    since = listed["metadata"]["resourceVersion"]
    _complete(rest, f"{jobs}/hook")
    with rest.watch(jobs, timeout=5, fieldSelector="metadata.name=hook", resourceVersion=since) as events:
        event = next(event for event in events if _condition(event["object"], "Complete"))
    assert event["type"] == "MODIFIED"
    options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
    assert rest.request("DELETE", f"{jobs}/hook", options).code == 200
    rest.gone(f"{jobs}/hook")


def test_objects_of_a_definition_that_was_just_made(rest: Rest, tabs: Customs) -> None:
    """Discovery is asked anew once it is established; then the objects are made at once."""
    before = rest.request("GET", f"/apis/{tabs.group}/v1")
    assert before.code == 404
    tabs.establish()
    eventually(lambda: _served(rest, tabs), what="discovery shows the kind", timeout=2, every=0.01)
    created = rest.post(tabs.collection, tabs.tab("a"), fieldManager="helm", fieldValidation="Strict")
    assert created["metadata"]["generation"] == 1
    # Kinds without merge keys are patched as plain JSON; a strategic patch is declined.
    refused = rest.request("PATCH", f"{tabs.collection}/a", {"spec": {}}, content_type=STRATEGIC)
    assert (refused.code, refused.object["reason"]) == (415, "UnsupportedMediaType")
    assert (
        rest.patch(f"{tabs.collection}/a", {"spec": {"image": "x"}}, content_type=MERGE)["spec"]["image"]
        == "x"
    )
    steps = [{"op": "remove", "path": "/spec/image"}]
    assert "image" not in rest.patch(f"{tabs.collection}/a", steps, content_type=JSON_PATCH)["spec"]


def _release(version: int, status: str) -> Object:
    record = gzip.compress(json.dumps({"version": version, "status": status}).encode())
    labels = {"owner": "helm", "name": "web", "status": status, "version": str(version)}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": f"sh.helm.release.v1.web.v{version}", "labels": labels},
        "type": RELEASE,
        "data": {"release": base64.b64encode(base64.b64encode(record)).decode()},
    }


def _content(secret: Object) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(base64.b64decode(secret["data"]["release"]))))


def _deployment(image: str) -> Object:
    env = [{"name": "OLD", "value": "1"}, {"name": "NEW", "value": "1"}]
    spec = {"containers": [{"name": "web", "image": image, "env": env}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": MANAGED},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": MANAGED},
            "template": {"metadata": {"labels": MANAGED}, "spec": spec},
        },
    }


def _job() -> Object:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a:1"}]}}
    # Suspended: its status is the test's to write.
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "hook", "annotations": {"helm.sh/hook": "pre-install"}},
        "spec": {"suspend": True, "template": template},
    }


def _complete(rest: Rest, path: str) -> None:
    now = "2026-01-01T00:00:00Z"
    done = [{"type": kind, "status": "True"} for kind in ("SuccessCriteriaMet", "Complete")]
    times = {"startTime": now, "completionTime": now}
    rest.patch(f"{path}/status", {"status": {**times, "conditions": done}}, content_type=MERGE)


def _condition(job: Object, kind: str) -> bool:
    found = job.get("status", {}).get("conditions", [])
    return any(each["type"] == kind and each["status"] == "True" for each in found)


def _served(rest: Rest, tabs: Customs) -> bool:
    answer = rest.request("GET", f"/apis/{tabs.group}/v1")
    return answer.code == 200 and "crontabs" in answer.text
