"""Reading aggregated discovery."""

from typing import Any

from kubeling.client.discovery import discovery_of


def group(name: str, *versions: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "versions": list(versions)}


def version(name: str, *plurals: str, freshness: str = "Current") -> dict[str, Any]:
    resources = [
        {"resource": each, "responseKind": {"kind": each.title()}, "scope": "Namespaced", "verbs": ["get"]}
        for each in plurals
    ]
    return {"version": name, "resources": resources, "freshness": freshness}


def test_a_resource_is_preferred_in_the_first_version_that_has_it() -> None:
    found = discovery_of([group("g", version("v2", "a"), version("v1", "a", "b"))])
    assert [(each.version, each.plural) for each in found.preferred] == [("v2", "a"), ("v1", "b")]
    assert [(each.version, each.plural) for each in found.every] == [("v2", "a"), ("v1", "a"), ("v1", "b")]


def test_what_is_stale_is_a_failure_and_hinders_nothing_else() -> None:
    found = discovery_of([group("", version("v1", "a")), group("g", version("v1", "b", freshness="Stale"))])
    assert [each.plural for each in found.preferred] == ["a"]
    assert found.failures == {"g/v1": "stale GroupVersion discovery: g/v1"}
