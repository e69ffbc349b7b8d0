"""Namespaces: what a new one holds, and how one goes."""

import base64

import pytest

from conformance import pods
from conformance.rest import Rest
from conformance.space import Space


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public", "kube-node-lease"])
def test_the_namespaces_of_every_cluster(rest: Rest, name: str) -> None:
    namespace = rest.get(f"/api/v1/namespaces/{name}")
    assert namespace["status"]["phase"] == "Active"
    assert namespace["metadata"]["labels"]["kubernetes.io/metadata.name"] == name


def test_a_namespace_has_a_service_account_and_the_authority(space: Space) -> None:
    assert space.rest.get(space.path("serviceaccounts", "default"))["metadata"]["uid"]
    found = space.rest.get(space.path("configmaps", "kube-root-ca.crt"))
    assert found["data"]["ca.crt"].startswith("-----BEGIN CERTIFICATE-----")


def test_the_authority_comes_back_when_it_is_deleted(space: Space) -> None:
    path = space.path("configmaps", "kube-root-ca.crt")
    old = space.rest.get(path)
    since = old["metadata"]["resourceVersion"]
    with space.rest.watch(space.path("configmaps"), resourceVersion=since) as events:
        space.rest.delete(path)
        added = next(event for event in events if event["type"] == "ADDED")
    assert added["object"]["data"] == old["data"]


def test_the_service_of_the_api(rest: Rest) -> None:
    service = rest.get("/api/v1/namespaces/default/services/kubernetes")
    labels = service["metadata"]["labels"]
    assert (labels["component"], labels["provider"]) == ("apiserver", "kubernetes")
    assert service["spec"]["clusterIP"] not in ("", "None")
    port = service["spec"]["ports"][0]
    assert (port["name"], port["port"], port["protocol"]) == ("https", 443, "TCP")


def test_a_namespace_is_emptied_and_gone(rest: Rest) -> None:
    name = _create(rest)
    path = f"/api/v1/namespaces/{name}"
    rest.post(f"{path}/configmaps", pods.config_map("a", {}))
    rest.post(f"{path}/secrets", pods.secret("a", {}))
    answer = rest.delete(path)
    assert answer["status"]["phase"] == "Terminating"
    assert answer["metadata"]["deletionTimestamp"]
    rest.gone(path)
    rest.refusal(404, "GET", f"{path}/configmaps/a")
    rest.refusal(404, "GET", f"{path}/secrets/a")


def test_nothing_is_created_in_a_namespace_that_goes(rest: Rest) -> None:
    name = _create(rest)
    path = f"/api/v1/namespaces/{name}"
    held = pods.config_map("held", {})
    held["metadata"]["finalizers"] = ["example.com/hold"]
    rest.post(f"{path}/configmaps", held)
    rest.delete(path)
    status = rest.refusal(403, "POST", f"{path}/configmaps", pods.config_map("late", {}))
    expected = f'configmaps "late" is forbidden: unable to create new content in namespace {name}'
    assert status["message"] == f"{expected} because it is being terminated"
    assert status["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    rest.patch(f"{path}/configmaps/held", {"metadata": {"finalizers": None}})
    rest.gone(path)


@pytest.mark.parametrize("name", ["default", "kube-system"])
def test_the_first_namespaces_cannot_be_deleted(rest: Rest, name: str) -> None:
    status = rest.refusal(403, "DELETE", f"/api/v1/namespaces/{name}")
    assert status["message"].endswith("this namespace may not be deleted")


def test_the_token_of_a_secret_is_what_was_put_in(space: Space) -> None:
    space.secret("a", k="välue")
    data = space.rest.get(space.path("secrets", "a"))["data"]["k"]
    assert base64.b64decode(data).decode() == "välue"


def _create(rest: Rest) -> str:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "conformance-"}}
    name: str = rest.post("/api/v1/namespaces", body)["metadata"]["name"]
    return name
