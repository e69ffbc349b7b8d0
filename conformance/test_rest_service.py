"""What a server says of itself: health, version, metrics, discovery, OpenAPI."""

import pytest

from conformance.cluster import Cluster
from conformance.rest import Rest, connect

AGGREGATED = "application/json;v=v2;g=apidiscovery.k8s.io;as=APIGroupDiscoveryList"


def test_the_version(rest: Rest) -> None:
    version = rest.get("/version")
    assert version["major"] == "1", version
    assert version["gitVersion"].startswith(f"v1.{version['minor'].rstrip('+')}."), version
    assert {"gitCommit", "gitTreeState", "buildDate", "platform"} <= set(version), version


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_health(rest: Rest, path: str) -> None:
    response = rest.request("GET", path)
    assert (response.code, response.text) == (200, "ok")
    assert response.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_health_in_detail(rest: Rest, path: str) -> None:
    lines = rest.request("GET", path, verbose="").text.splitlines()
    assert "[+]ping ok" in lines, lines
    assert lines[-1] == f"{path.strip('/')} check passed", lines


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/version"])
def test_strangers_may_ask_for_health_and_version(cluster: Cluster, path: str) -> None:
    assert connect(cluster.kubeconfig, anonymous=True).request("GET", path).code == 200


def test_metrics_are_in_the_exposition_format(rest: Rest) -> None:
    response = rest.request("GET", "/metrics")
    assert response.code == 200, str(response)
    assert "# TYPE apiserver_request_total counter" in response.text


def test_a_request_has_an_audit_id(rest: Rest) -> None:
    assert rest.request("GET", "/version").headers.get("audit-id")


def test_legacy_discovery_of_the_core_group(rest: Rest) -> None:
    assert rest.get("/api")["versions"] == ["v1"]
    found = {entry["name"]: entry for entry in rest.get("/api/v1")["resources"]}
    pods = found["pods"]
    assert (pods["kind"], pods["namespaced"], pods["singularName"]) == ("Pod", True, "pod")
    assert pods["shortNames"] == ["po"]
    assert pods["categories"] == ["all"]
    verbs = {"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
    assert set(pods["verbs"]) == verbs
    assert not found["nodes"]["namespaced"]
    assert {"pods/log", "pods/exec", "pods/attach", "pods/portforward", "pods/status"} <= set(found)


def test_legacy_discovery_of_groups(rest: Rest) -> None:
    groups = {group["name"]: group for group in rest.get("/apis")["groups"]}
    assert groups["apps"]["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    expected = {"apps", "batch", "coordination.k8s.io", "networking.k8s.io", "rbac.authorization.k8s.io"}
    assert expected <= set(groups)
    assert rest.get("/apis/apps")["name"] == "apps"
    kinds = {entry["kind"] for entry in rest.get("/apis/apps/v1")["resources"]}
    assert {"Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ControllerRevision"} <= kinds


@pytest.mark.parametrize("path", ["/api", "/apis"])
def test_aggregated_discovery(rest: Rest, path: str) -> None:
    response = rest.send("GET", path, data=None, headers={**rest.headers, "Accept": AGGREGATED})
    assert response.code == 200, str(response)
    assert response.object["kind"] == "APIGroupDiscoveryList"
    assert "g=apidiscovery.k8s.io" in response.headers["content-type"]
    versions = response.object["items"][0]["versions"]
    assert versions[0]["resources"][0]["responseKind"]["kind"]


def test_aggregated_discovery_names_subresources(rest: Rest) -> None:
    response = rest.send("GET", "/api", data=None, headers={**rest.headers, "Accept": AGGREGATED})
    resources = response.object["items"][0]["versions"][0]["resources"]
    pods = next(resource for resource in resources if resource["resource"] == "pods")
    assert pods["scope"] == "Namespaced"
    assert {"status", "log", "exec"} <= {sub["subresource"] for sub in pods["subresources"]}


def test_aggregated_discovery_is_cached_by_its_etag(rest: Rest) -> None:
    headers = {**rest.headers, "Accept": AGGREGATED}
    etag = rest.send("GET", "/apis", data=None, headers=headers).headers["etag"]
    again = rest.send("GET", "/apis", data=None, headers={**headers, "If-None-Match": etag})
    assert again.code == 304, str(again)


def test_openapi_v3_lists_and_serves_a_document_per_group_version(rest: Rest) -> None:
    paths = rest.get("/openapi/v3")["paths"]
    assert {"api/v1", "apis/apps/v1"} <= set(paths)
    path, _, query = paths["apis/apps/v1"]["serverRelativeURL"].partition("?")
    key, _, value = query.partition("=")
    document = rest.get(path, **{key: value})
    assert "io.k8s.api.apps.v1.Deployment" in document["components"]["schemas"]
    assert "/apis/apps/v1/namespaces/{namespace}/deployments" in document["paths"]


def test_openapi_v2(rest: Rest) -> None:
    document = rest.get("/openapi/v2")
    assert document["swagger"] == "2.0"
    pod = document["definitions"]["io.k8s.api.core.v1.Pod"]
    assert pod["x-kubernetes-group-version-kind"] == [{"group": "", "kind": "Pod", "version": "v1"}]
