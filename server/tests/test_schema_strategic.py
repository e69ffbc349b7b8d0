from typing import Any

import pytest

from server.schema.errors import PatchError
from server.schema.merge_patch import merge_patch
from server.schema.strategic import strategic_merge
from server.schema.types import struct_of


def patched_spec(spec: dict[str, Any], patch: dict[str, Any], kind: str = "Pod") -> Any:
    group = "apps" if kind == "Deployment" else ""
    struct = struct_of(group, "v1", kind)
    assert struct is not None
    return strategic_merge(struct, {"spec": spec}, {"spec": patch})["spec"]


def containers(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "image": f"{name}:1"} for name in names]


def test_lists_with_a_merge_key_merge_by_it() -> None:
    found = patched_spec(
        {"containers": containers("a", "b")},
        {"containers": [{"name": "b", "image": "x"}, {"name": "c", "image": "y"}]},
    )
    assert found["containers"] == [
        {"name": "a", "image": "a:1"},
        {"name": "b", "image": "x"},
        {"name": "c", "image": "y"},
    ]


def test_atomic_lists_are_replaced() -> None:
    spec = {"containers": [{"name": "a", "args": ["1", "2"]}]}
    found = patched_spec(spec, {"containers": [{"name": "a", "args": ["3"]}]})
    assert found["containers"][0]["args"] == ["3"]


def test_nulls_delete() -> None:
    found = patched_spec(
        {"nodeName": "n", "nodeSelector": {"a": "1", "b": "2"}},
        {"nodeName": None, "nodeSelector": {"a": None}},
    )
    assert found == {"nodeSelector": {"b": "2"}}


def test_an_element_can_be_deleted() -> None:
    found = patched_spec(
        {"containers": containers("a", "b")}, {"containers": [{"name": "a", "$patch": "delete"}]}
    )
    assert found["containers"] == containers("b")


def test_a_list_can_be_replaced() -> None:
    found = patched_spec(
        {"containers": containers("a", "b")}, {"containers": [{"$patch": "replace"}, {"name": "c"}]}
    )
    assert found["containers"] == [{"name": "c"}]


def test_a_map_can_be_replaced_or_emptied() -> None:
    selector = {"nodeSelector": {"a": "1"}}
    assert patched_spec(selector, {"nodeSelector": {"$patch": "replace", "b": "2"}}) == {
        "nodeSelector": {"b": "2"}
    }
    assert patched_spec(selector, {"nodeSelector": {"$patch": "delete"}}) == {"nodeSelector": {}}


def test_retained_keys_are_the_only_ones_left() -> None:
    strategy = {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}
    found = patched_spec(strategy, {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}, "Deployment")
    assert found == {"strategy": {"type": "Recreate"}}


def test_a_volume_changes_its_source() -> None:
    found = patched_spec(
        {"volumes": [{"name": "v", "emptyDir": {}}]},
        {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/x"}}]},
    )
    assert found["volumes"] == [{"name": "v", "hostPath": {"path": "/x"}}]


def test_elements_are_ordered_as_asked() -> None:
    found = patched_spec(
        {"containers": containers("a", "b", "c")},
        {
            "$setElementOrder/containers": [{"name": "c"}, {"name": "a"}, {"name": "d"}],
            "containers": [{"name": "d"}],
        },
    )
    assert [each["name"] for each in found["containers"]] == ["b", "c", "a", "d"]


def test_order_alone_reorders() -> None:
    found = patched_spec(
        {"containers": containers("a", "b")},
        {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]},
    )
    assert [each["name"] for each in found["containers"]] == ["b", "a"]


def test_primitive_lists_merge_and_lose_elements() -> None:
    struct = struct_of("", "v1", "Pod")
    assert struct is not None
    target = {"metadata": {"finalizers": ["a/x", "b/x"]}}
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a/x"], "finalizers": ["c/x"]}}
    assert strategic_merge(struct, target, patch) == {"metadata": {"finalizers": ["b/x", "c/x"]}}


def test_an_element_without_its_key_is_refused() -> None:
    with pytest.raises(PatchError, match="does not contain declared merge key: name"):
        patched_spec({}, {"containers": [{"image": "x"}]})


def test_an_unknown_directive_is_refused() -> None:
    with pytest.raises(PatchError, match="Unknown patch type found"):
        patched_spec({}, {"nodeSelector": {"$patch": "explode"}})


def test_the_target_stays_as_it_was() -> None:
    spec = {"containers": containers("a"), "nodeSelector": {"a": "1"}}
    patched_spec(spec, {"containers": [{"name": "a", "image": "z"}], "nodeSelector": {"b": "2"}})
    assert spec == {"containers": containers("a"), "nodeSelector": {"a": "1"}}


def test_merge_patch_replaces_lists_and_deletes_nulls() -> None:
    assert merge_patch({"a": {"b": 1, "c": [1]}, "d": 1}, {"a": {"b": None, "c": [2]}, "e": {"f": None}}) == {
        "a": {"c": [2]},
        "d": 1,
        "e": {},
    }
