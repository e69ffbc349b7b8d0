"""Where a pod may go: taints and tolerations, selectors and required affinity."""

import pytest

from kubeling.objects.meta import Object
from kubeling.objects.node_selection import required
from kubeling.objects.taints import covers, untolerated

TAINT = {"key": "k", "value": "v", "effect": "NoSchedule"}


@pytest.mark.parametrize(
    ("toleration", "expected"),
    [
        ({"operator": "Exists"}, True),
        ({"operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "k", "operator": "Exists"}, True),
        ({"key": "other", "operator": "Exists"}, False),
        ({"key": "k", "value": "v"}, True),
        ({"key": "k", "operator": "Equal", "value": "w"}, False),
        ({"value": "v"}, False),
        ({"key": "k", "operator": "Nonsense", "value": "v"}, False),
    ],
)
def test_what_a_toleration_covers(toleration: Object, expected: bool) -> None:
    assert covers(toleration, TAINT) is expected


def test_the_first_taint_of_these_effects_that_nothing_covers() -> None:
    executes = {"key": "x", "effect": "NoExecute"}
    assert untolerated([], [TAINT, executes], ("NoExecute",)) == executes
    assert untolerated([{"operator": "Exists"}], [TAINT, executes], ("NoExecute", "NoSchedule")) is None


def _affinity(*terms: Object) -> Object:
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": list(terms)}}
    return {"affinity": {"nodeAffinity": required}}


BLUE = {"matchExpressions": [{"key": "colour", "operator": "In", "values": ["blue"]}]}
NAMED = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}
UNREADABLE = {"matchExpressions": [{"key": "colour", "operator": "Like", "values": ["blue"]}]}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"nodeSelector": {"colour": "blue"}}, True),
        ({"nodeSelector": {"colour": "red"}}, False),
        (_affinity(BLUE), True),
        (_affinity({**BLUE, **NAMED}), False),
        (_affinity(NAMED, BLUE), True),
        (_affinity(NAMED), False),
        (_affinity({}), False),
        (_affinity(), False),
        (_affinity(UNREADABLE), False),
        ({"nodeSelector": {"colour": "red"}, **_affinity(BLUE)}, False),
    ],
)
def test_which_node_a_pod_asks_for(spec: Object, expected: bool) -> None:
    wanted = required(spec)
    assert wanted is not None
    assert wanted({"colour": "blue"}, "other") is expected


def test_a_pod_that_asks_for_nothing_is_compiled_to_nothing() -> None:
    assert required({"nodeSelector": {}, "affinity": None}) is None
