from typing import Any

import pytest

from server.api.requestinfo import first, flag, parse, parse_query


def info(method: Any, target: Any) -> Any:
    path, _, query = target.partition("?")
    return parse(method, path, parse_query(query))


@pytest.mark.parametrize(
    ("method", "target", "verb", "group", "version", "namespace", "resource", "subresource", "name"),
    [
        ("GET", "/api/v1/pods", "list", "", "v1", "", "pods", "", ""),
        ("GET", "/api/v1/pods?watch=1", "watch", "", "v1", "", "pods", "", ""),
        ("GET", "/api/v1/pods?watch", "watch", "", "v1", "", "pods", "", ""),
        ("GET", "/api/v1/pods?watch=false", "list", "", "v1", "", "pods", "", ""),
        ("GET", "/api/v1/namespaces", "list", "", "v1", "", "namespaces", "", ""),
        ("GET", "/api/v1/namespaces/a", "get", "", "v1", "a", "namespaces", "", "a"),
        ("PUT", "/api/v1/namespaces/a/finalize", "update", "", "v1", "a", "namespaces", "finalize", "a"),
        ("PUT", "/api/v1/namespaces/a/status", "update", "", "v1", "a", "namespaces", "status", "a"),
        ("HEAD", "/api/v1/namespaces/a/pods/p", "get", "", "v1", "a", "pods", "", "p"),
        ("PATCH", "/api/v1/namespaces/a/pods/p/status", "patch", "", "v1", "a", "pods", "status", "p"),
        (
            "POST",
            "/apis/apps/v1/namespaces/a/deployments",
            "create",
            "apps",
            "v1",
            "a",
            "deployments",
            "",
            "",
        ),
        ("DELETE", "/api/v1/namespaces/a/pods", "deletecollection", "", "v1", "a", "pods", "", ""),
        ("DELETE", "/api/v1/namespaces/a/pods/p", "delete", "", "v1", "a", "pods", "", "p"),
        ("GET", "/api/v1/watch/namespaces/a/pods", "watch", "", "v1", "a", "pods", "", ""),
        ("GET", "/api/v1/nodes/n/proxy/a/b", "get", "", "v1", "", "nodes", "proxy", "n"),
        ("GET", "/api/v1/pods?fieldSelector=metadata.name%3Dx", "list", "", "v1", "", "pods", "", "x"),
    ],
)
def test_a_resource_request_has_the_attributes_that_kubernetes_gives_it(
    method: Any,
    target: Any,
    verb: Any,
    group: Any,
    version: Any,
    namespace: Any,
    resource: Any,
    subresource: Any,
    name: Any,
) -> None:
    found = info(method, target)
    assert found.is_resource
    assert (found.verb, found.group, found.version, found.namespace) == (verb, group, version, namespace)
    assert (found.resource, found.subresource, found.name) == (resource, subresource, name)


@pytest.mark.parametrize("path", ["/", "/healthz", "/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1"])
def test_discovery_and_other_pages_are_no_resources(path: Any) -> None:
    found = info("GET", path)
    assert not found.is_resource
    assert (found.path, found.verb) == (path, "get")


def test_a_path_is_decoded_before_it_is_divided() -> None:
    found = info("GET", "/api/v1/namespaces/a/pods/a%3Ab%2Fc")
    assert (found.name, found.subresource) == ("a:b", "c")


def test_proxy_paths_keep_their_rest() -> None:
    assert info("GET", "/api/v1/nodes/n/proxy/logs/x").parts == ("nodes", "n", "proxy", "logs", "x")


def test_a_flag_is_true_without_a_value() -> None:
    query = parse_query("pretty&watch=0&limit=5")
    assert flag(query, "pretty")
    assert not flag(query, "watch")
    assert not flag(query, "absent")
    assert first(query, "limit") == "5"
