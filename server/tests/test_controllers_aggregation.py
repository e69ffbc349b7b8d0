"""Which rules an aggregated ClusterRole collects."""

from typing import Any

from server.controllers.cluster_role_aggregation import collected


def role(name: str, *resources: str, **labels: str) -> dict[str, Any]:
    rules = [{"verbs": ["get"], "apiGroups": [""], "resources": [each]} for each in resources]
    return {"metadata": {"name": name, "labels": labels}, "rules": rules}


def collecting(name: str, *selectors: dict[str, Any], **labels: str) -> dict[str, Any]:
    return role(name, "old", **labels) | {"aggregationRule": {"clusterRoleSelectors": list(selectors)}}


def test_each_rule_once_and_never_its_own() -> None:
    by_team = {"matchLabels": {"team": "a"}}
    by_tier = {"matchExpressions": [{"key": "tier", "operator": "Exists"}]}
    whole = collecting("whole", by_team, by_tier, team="a")
    roles = [
        whole,
        role("x", "pods", "nodes", team="a"),
        role("y", "pods", "secrets", tier="b"),
        role("z", "hidden", team="b"),
    ]
    assert [rule["resources"] for rule in collected(whole, roles)] == [["pods"], ["nodes"], ["secrets"]]


def test_nothing_selected_is_nothing_collected() -> None:
    assert collected(collecting("none", {"matchLabels": {"a": "b"}}), [role("x", "pods")]) == []
