"""Strategic merge patch: a merge that knows which lists are maps in disguise, by the types' merge keys.

Beside nulls, which delete, a patch may hold directives: `$patch` (replace, delete, merge) in a map or in an
element of a list, `$retainKeys` beside the keys to retain, `$deleteFromPrimitiveList/FIELD` and
`$setElementOrder/FIELD` beside the list FIELD.
"""

from collections.abc import Sequence
from typing import Any

from server.schema.errors import DecodeError, PatchError
from server.schema.nodes import Field, ListOf, MapOf, Node, Struct

_DIRECTIVE, _RETAIN = "$patch", "$retainKeys"
_DELETE_PRIMITIVES, _ORDER = "$deleteFromPrimitiveList/", "$setElementOrder/"


def strategic_merge(struct: Struct, target: Any, patch: Any) -> Any:
    """The patched object; neither argument is changed, parts may be shared with both.

    Raises:
        DecodeError: a directive is malformed.
        PatchError: it cannot be applied; an element lacks its merge key, say.
    """
    if not isinstance(patch, dict):
        raise PatchError("the patch is not an object")
    return _merge_map(struct, target, patch)


def _merge_map(node: Node | None, target: Any, patch: dict[str, Any]) -> dict[str, Any]:
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != _DIRECTIVE}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise PatchError(f'Unknown patch type found: "{directive}"')
    out = dict(target) if isinstance(target, dict) else {}
    _retain(out, patch)
    for key, value in patch.items():
        if not key.startswith("$"):
            _merge_field(node, out, key, value, patch)
    for key in patch:
        _apply_list_directive(node, out, key, patch)
    return out


def _retain(out: dict[str, Any], patch: dict[str, Any]) -> None:
    if _RETAIN not in patch:
        return
    keep = patch[_RETAIN]
    if not isinstance(keep, list) or any(not isinstance(key, str) for key in keep):
        raise DecodeError("invalid patch format of retainKeys")
    if any(value is not None and key not in keep and not key.startswith("$") for key, value in patch.items()):
        raise PatchError("the keys of a patch with $retainKeys must be in its list")
    for key in [key for key in out if key not in keep]:
        del out[key]


def _merge_field(node: Node | None, out: dict[str, Any], key: str, value: Any, patch: dict[str, Any]) -> None:
    if value is None:
        out.pop(key, None)
        return
    field, child = _child(node, key)
    if isinstance(value, dict):
        replaces = field is not None and "replace" in field.strategies
        out[key] = _without_directives(value) if replaces else _merge_map(child, out.get(key), value)
    elif isinstance(value, list) and field is not None and "merge" in field.strategies:
        out[key] = _merge_list(field, child, out.get(key), value, patch.get(_ORDER + key))
    else:
        out[key] = value


def _child(node: Node | None, key: str) -> tuple[Field | None, Node | None]:
    if isinstance(node, Struct):
        field = node.fields.get(key)
        return field, field.node if field else None
    return None, node.values if isinstance(node, MapOf) else None


def _apply_list_directive(node: Node | None, out: dict[str, Any], key: str, patch: dict[str, Any]) -> None:
    """$deleteFromPrimitiveList always; $setElementOrder where the patch does not hold the list itself."""
    if key.startswith(_DELETE_PRIMITIVES):
        name = key.removeprefix(_DELETE_PRIMITIVES)
        deleted, found = _directed(key, patch[key]), out.get(name)
        if isinstance(found, list):
            out[name] = [item for item in found if item not in deleted]
    elif key.startswith(_ORDER) and key.removeprefix(_ORDER) not in patch:
        name = key.removeprefix(_ORDER)
        field, _ = _child(node, name)
        if isinstance(out.get(name), list) and field is not None:
            out[name] = _ordered(out[name], patch[key], out[name], field.merge_key)


def _directed(directive: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        kind = "setElementOrder list" if directive.startswith(_ORDER) else "primitive list"
        raise DecodeError(f"invalid patch format of {kind}")
    return value


def _merge_list(field: Field, child: Node | None, target: Any, patch: list[Any], order: Any) -> list[Any]:
    existing = target if isinstance(target, list) else []
    if not field.merge_key:
        merged = list(existing)
        merged.extend(item for item in patch if item not in merged)
        return _ordered(merged, order, existing, "") if order is not None else merged
    elements = [_element(item, field.merge_key) for item in patch]
    if any(each.get(_DIRECTIVE) == "replace" for each in elements):
        return [_without_directives(each) for each in elements if _has_content(each)]
    merged = _merge_elements(field.merge_key, child, existing, elements)
    return _ordered(merged, order, existing, field.merge_key) if order is not None else merged


def _element(item: Any, merge_key: str) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise PatchError("expected an object in a list that merges by key")
    if item.get(merge_key) is None and item.get(_DIRECTIVE) != "replace":
        raise PatchError(f"map: {_go_map(item)} does not contain declared merge key: {merge_key}")
    return item


def _go_map(item: dict[str, Any]) -> str:
    return f"map[{' '.join(f'{key}:{value}' for key, value in sorted(item.items()))}]"


def _has_content(element: dict[str, Any]) -> bool:
    return set(element) != {_DIRECTIVE}


def _merge_elements(
    merge_key: str, child: Node | None, existing: Sequence[Any], elements: Sequence[dict[str, Any]]
) -> list[Any]:
    items = child.items if isinstance(child, ListOf) else None
    merged = list(existing)
    for element in elements:
        value = element[merge_key]
        at = next((n for n, item in enumerate(merged) if item.get(merge_key) == value), None)
        if element.get(_DIRECTIVE) == "delete":
            merged = [item for item in merged if item.get(merge_key) != value]
        elif at is None:
            merged.append(_merge_map(items, {}, element))
        else:
            merged[at] = _merge_map(items, merged[at], element)
    return merged


def _without_directives(value: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if key != _DIRECTIVE}


def _ordered(merged: list[Any], order: Any, existing: Sequence[Any], merge_key: str) -> list[Any]:
    """The elements that the patch orders, in that order; the others stay where they stood among them."""
    order = _directed(_ORDER, order)
    if merge_key and any(not isinstance(item, dict) for item in order):
        raise PatchError("expected objects in the order of a list that merges by key")
    wanted = [item.get(merge_key) if merge_key else item for item in order]
    key_of = [item.get(merge_key) if merge_key else item for item in merged]
    rank = {_hashable(key): position for position, key in enumerate(wanted)}
    before = [item.get(merge_key) if merge_key else item for item in existing]
    listed = sorted(
        (n for n, key in enumerate(key_of) if _hashable(key) in rank),
        key=lambda n: rank[_hashable(key_of[n])],
    )
    own = [n for n, key in enumerate(key_of) if _hashable(key) not in rank]
    known = {_hashable(key) for key in before}
    if any(_hashable(key_of[n]) not in known for n in own):
        raise PatchError("the order in the patch's list does not match its $setElementOrder list")
    return [merged[n] for n in _interleaved(listed, own, key_of, before)]


def _interleaved(listed: list[int], own: list[int], keys: list[Any], before: list[Any]) -> list[int]:
    """Merges two sequences: one of `own` goes before a listed one that stood after it on the server."""
    out: list[int] = []
    while listed and own:
        first, mine = keys[listed[0]], keys[own[0]]
        known = first in before
        if known and before.index(first) < before.index(mine):
            out.append(listed.pop(0))
        elif known:
            out.append(own.pop(0))
        else:
            out.append(listed.pop(0))
    return out + listed + own


def _hashable(key: Any) -> Any:
    return key if not isinstance(key, dict | list) else repr(key)
