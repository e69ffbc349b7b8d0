"""Field sets, comparison, and the laws of server-side apply over generated objects."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kubeling.objects.errors import Conflict
from server.registry.ownership import APPLY, UPDATE, Entry, Owner, entries_to_begin_with, updated
from server.registry.ownership_apply import Application, Applied, apply
from server.registry.ownership_writes import Reset
from server.schema.apply import compare
from server.schema.apply.compare import plan_for
from server.schema.apply.declare import ConfigurationError, declared, fields_of
from server.schema.apply.elements import element_text, path_text
from server.schema.apply.field_set import (
    LEAF,
    Fields,
    difference,
    has,
    intersection,
    of_path,
    paths,
    union,
    without_trees,
)
from server.schema.apply.merge import merged
from server.schema.types import struct_of

POD = plan_for(struct_of("", "v1", "Pod"))
OPEN = plan_for(None)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
NOTHING_RESET = Reset(frozenset(), LEAF)
ELEMENTS = ("f:a", "f:b", "f:c", 'k:{"name":"x"}', 'k:{"name":"y"}', 'v:"z"')
Object = dict[str, Any]


def random_set(source: random.Random) -> tuple[Fields, set[tuple[str, ...]]]:
    members = {
        tuple(source.choice(ELEMENTS) for _ in range(source.randint(1, 3)))
        for _ in range(source.randint(0, 8))
    }
    fields: Fields = LEAF
    for member in members:
        fields = union(fields, of_path(member))
    return fields, members


def random_pod(source: random.Random) -> Object:
    containers = [
        {
            "name": name,
            "image": source.choice(("i1", "i2")),
            **({"env": random_env(source)} if source.random() < 0.7 else {}),
            **({"args": ["x", source.choice("ab")]} if source.random() < 0.5 else {}),
            **({"ports": [{"containerPort": source.choice((80, 81))}]} if source.random() < 0.5 else {}),
        }
        for name in source.sample(("c1", "c2", "c3"), source.randint(1, 3))
    ]
    own: Object = {"name": "p", "labels": {key: source.choice("xy") for key in source.sample("abcd", 2)}}
    if source.random() < 0.5:
        own["finalizers"] = source.sample(("e.x/a", "e.x/b", "e.x/c"), 2)
    spec: Object = {"containers": containers, "nodeSelector": {"k": source.choice("xy")}}
    if source.random() < 0.5:
        spec["securityContext"] = {"runAsUser": source.choice((1, 2))}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": own, "spec": spec}


def random_env(source: random.Random) -> list[Object]:
    return [{"name": name, "value": source.choice("12")} for name in source.sample("ABC", 2)]


def application(
    live: Object, config: Object, manager: str, *, force: bool = False, at: int = 0
) -> Application:
    owner = Owner(manager, APPLY, "v1")
    now = NOW + timedelta(seconds=at)
    return Application(POD, True, live, config, owner, force, NOTHING_RESET, now)


def applying(live: Object, config: Object, manager: str, *, force: bool = False) -> Applied:
    return apply(application(live, config, manager, force=force))


def live_after(result: Applied) -> Object:
    own = {**result.obj["metadata"], "uid": "u", "managedFields": result.entries}
    return {**result.obj, "metadata": own}


EMPTY: Object = {"apiVersion": "v1", "kind": "Pod", "metadata": {}}


@pytest.mark.parametrize("seed", range(200))
def test_operations_on_sets_are_those_on_their_members(seed: int) -> None:
    source = random.Random(seed)
    (one, ones), (other, others) = random_set(source), random_set(source)
    assert set(paths(union(one, other))) == ones | others
    assert set(paths(difference(one, other))) == ones - others
    assert set(paths(intersection(one, other))) == ones & others
    rest = {path for path in ones if not any(path[: len(tree)] == tree for tree in others)}
    assert set(paths(without_trees(one, other))) == rest
    assert all(has(one, path) for path in ones)
    assert union(one, one) == one
    assert difference(one, one) == {}


@pytest.mark.parametrize("seed", range(100))
def test_a_set_that_is_sent_back_is_read_as_it_was(seed: int) -> None:
    fields, _ = random_set(random.Random(seed))
    entry: Entry = {"manager": "m", "operation": UPDATE, "apiVersion": "v1", "fieldsType": "FieldsV1"}
    given = [{**entry, "fieldsV1": fields}]
    assert entries_to_begin_with([], given, subresource="") == given


@pytest.mark.parametrize("seed", range(100))
def test_applying_twice_changes_nothing(seed: int) -> None:
    source = random.Random(seed)
    config = random_pod(source)
    first = live_after(applying(EMPTY, config, "one"))
    again = applying(first, config, "one")
    assert live_after(again) == first


@pytest.mark.parametrize("seed", range(100))
def test_after_a_forced_apply_the_object_says_what_the_configuration_says(seed: int) -> None:
    source = random.Random(seed)
    live = live_after(applying(EMPTY, random_pod(source), "one"))
    config = random_pod(source)
    result = applying(live, config, "two", force=True)
    assert merged(POD, result.obj, config) == result.obj
    owned = next(entry for entry in result.entries if entry["manager"] == "two")
    assert owned["fieldsV1"] == declared(POD, config)


@pytest.mark.parametrize("seed", range(100))
def test_conflicts_are_where_another_owns_a_different_value(seed: int) -> None:
    source = random.Random(seed)
    live = live_after(applying(EMPTY, random_pod(source), "one"))
    config = random_pod(source)
    theirs = live["metadata"]["managedFields"][0]["fieldsV1"]
    wanted = merged(POD, {key: live[key] for key in live}, config)
    changed = compare.changes(POD, live, wanted, frozenset()).changed
    expected = {path_text(path) for path in paths(intersection(theirs, changed))}
    if not expected:
        applying(live, config, "two")
        return
    with pytest.raises(Conflict) as refused:
        applying(live, config, "two")
    found = {cause["field"] for cause in (refused.value.details or {})["causes"]}
    assert found == expected


@pytest.mark.parametrize("seed", range(100))
def test_owners_cover_all_that_was_applied_and_updated(seed: int) -> None:
    source = random.Random(seed)
    live = live_after(applying(EMPTY, random_pod(source), "one"))
    new = random_pod(source)
    found = compare.changes(POD, live, new, frozenset())
    owner = Owner("two", UPDATE, "v1")
    entries = updated(live["metadata"]["managedFields"], lambda _: found, owner, ignored=LEAF, now=NOW)
    owned: Fields = LEAF
    for entry in entries:
        owned = union(owned, entry["fieldsV1"])
    there = set(paths(difference(fields_of(POD, new) or LEAF, compare.UNOWNED_FIELDS)))
    assert there <= set(paths(owned))


@pytest.mark.parametrize("seed", range(100))
def test_what_was_created_is_what_an_update_from_nothing_changes(seed: int) -> None:
    pod = random_pod(random.Random(seed))
    from_nothing = compare.changes(POD, {}, pod, frozenset()).changed
    created = compare.created(POD, pod, frozenset(), go_type=True)
    assert set(paths(created)) <= set(paths(from_nothing))
    assert difference(from_nothing, created) == {"f:spec": {".": {}, "f:containers": {}}} or set(
        paths(difference(from_nothing, created))
    ) <= {("f:spec",), ("f:spec", "f:containers")}


def test_unknown_content_is_followed_as_it_looks() -> None:
    fields = compare.created(OPEN, {"spec": {"a": {"b": 1}, "list": [1]}}, frozenset(), go_type=False)
    assert fields == {"f:spec": {".": {}, "f:a": {".": {}, "f:b": {}}, "f:list": {}}}
    found = compare.changes(OPEN, {"spec": {"a": {"b": 1}}}, {"spec": {"a": 2}}, frozenset())
    assert found.changed == {"f:spec": {"f:a": {}}}
    assert found.removed == {"f:spec": {"f:a": {"f:b": {}}}}


def test_paths_are_shown_as_kubernetes_does() -> None:
    path = ("f:spec", "f:ports", 'k:{"port":80,"protocol":"TCP"}', 'v:"a"', "i:3")
    assert path_text(path) == '.spec.ports[port=80,protocol="TCP"][="a"][3]'
    assert element_text("f:a.b") == ".a.b"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"containers": {}}, ".spec.containers: expected list, got &{map[]}"),
        ({"nodeSelector": "x"}, ".spec.nodeSelector: expected map, got &{x}"),
        ({"hostname": 1}, ".spec.hostname: expected string, got &value.valueUnstructured{Value:1}"),
        ({"priority": "1"}, ".spec.priority: expected numeric (int or float), got string"),
        ({"hostNetwork": "x"}, ".spec.hostNetwork: expected boolean, got string"),
        ({"x": 1, "hostname": 1}, ".spec.x: field not declared in schema"),
        (
            {"hostname": 1, "subdomain": 2},
            "errors:\n"
            "  .spec.hostname: expected string, got &value.valueUnstructured{Value:1}\n"
            "  .spec.subdomain: expected string, got &value.valueUnstructured{Value:2}",
        ),
    ],
)
def test_a_configuration_that_does_not_fit_its_type_is_refused(spec: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        declared(POD, {"apiVersion": "v1", "kind": "Pod", "spec": spec})
    assert str(refused.value) == message


def test_nulls_and_empty_objects_are_declared() -> None:
    config = {"metadata": {"labels": {}}, "spec": {"hostname": None, "volumes": [], "tolerations": []}}
    assert declared(POD, config) == {
        "f:metadata": {"f:labels": {}},
        "f:spec": {"f:hostname": {}, "f:tolerations": {}},
    }


def test_the_configurations_order_wins_and_others_keep_their_places() -> None:
    def containers(*names: str) -> Object:
        return {"spec": {"containers": [{"name": name} for name in names]}}

    def order(live: Object, config: Object) -> list[str]:
        return [each["name"] for each in merged(POD, live, config)["spec"]["containers"]]

    assert order(containers("a", "b", "c"), containers("c", "a")) == ["b", "c", "a"]
    assert order(containers("a", "b", "c"), containers("a", "x")) == ["a", "b", "c", "x"]
    assert order(containers("a", "b"), containers("b", "x", "a")) == ["b", "x", "a"]
