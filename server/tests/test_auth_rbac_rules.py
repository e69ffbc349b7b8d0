"""Policy rules: covering, breaking down, and being written in errors."""

import pytest

from server.auth.policy.rule_text import rule, rules
from server.auth.rules import FULL_AUTHORITY, described, missing


@pytest.mark.parametrize(
    ("owned", "wanted"),
    [
        (["* : * : *"], ["get : apps : deployments/scale"]),
        (["get list : core : pods"], ["get : core : pods"]),
        (["get : core : pods", "list : core : pods"], ["get list : core : pods"]),
        (["get : core : pods"], ["get : core : pods : one"]),
        (["get : core : */scale"], ["get : core : pods/scale"]),
        (["get : /api/*"], ["get : /api/v1"]),
        (["get : *"], ["get : /api/*"]),
    ],
)
def test_covered(owned: list[str], wanted: list[str]) -> None:
    assert missing(rules(owned), rules(wanted)) == []


@pytest.mark.parametrize(
    ("owned", "wanted", "lacking"),
    [
        ([], ["get list : core : pods"], ["get : core : pods", "list : core : pods"]),
        (["get : core : pods : one"], ["get : core : pods"], ["get : core : pods"]),
        (["get : core : pods"], ["get : core : pods/log"], ["get : core : pods/log"]),
        (["get : core : pods"], ["* : core : pods"], ["* : core : pods"]),
        (["get : core : pods : a"], ["get : core : pods : a b"], ["get : core : pods : b"]),
        (["get : /api"], ["get : /api/*"], ["get : /api/*"]),
    ],
)
def test_not_covered(owned: list[str], wanted: list[str], lacking: list[str]) -> None:
    assert missing(rules(owned), rules(wanted)) == rules(lacking)


def test_what_is_missing_is_written_compactly() -> None:
    lacking = missing([], rules(["get list : core : secrets pods", "get : /metrics", "get : core : cms : a"]))
    assert described(lacking).splitlines() == [
        '{APIGroups:[""], Resources:["cms"], ResourceNames:["a"], Verbs:["get"]}',
        '{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}',
        '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}',
        '{NonResourceURLs:["/metrics"], Verbs:["get"]}',
    ]


def test_a_superuser_lacks_nothing() -> None:
    assert missing(FULL_AUTHORITY, rules(["* : * : *", "* : *"])) == []


def test_rules_are_written_in_alphabetical_order() -> None:
    assert rule("update get : core apps : b a : z y") == {
        "verbs": ["get", "update"],
        "apiGroups": ["", "apps"],
        "resources": ["a", "b"],
        "resourceNames": ["y", "z"],
    }
    assert rule("get : /b /a") == {"verbs": ["get"], "nonResourceURLs": ["/a", "/b"]}
