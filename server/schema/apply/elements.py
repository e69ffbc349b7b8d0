"""Path elements: how a list's item is named in a field set, and how a path is shown to people."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from server.schema.apply.field_set import Path
from server.schema.nodes import ListOf, Struct

Label = Callable[[Any], str]
"""Names an item of a list; raises ElementError when it has no name."""

KEY_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "ContainerPort": {"protocol": "TCP"},
    "ServicePort": {"protocol": "TCP"},
}
"""By type, the values of list keys that an item may leave out: the definitions do not say them."""


class ElementError(ValueError):
    """An item of a list that has no name of its own."""


def field_label(name: str) -> str:
    return f"f:{name}"


def labels_of(node: ListOf) -> Label:
    """How the items of a list of type set or map are named."""
    if node.list_type == "set":
        return _value_label
    defaults = key_defaults(node)
    if len(node.map_keys) == 1 and not defaults:
        return _single_key_label(node.map_keys[0])
    return _keys_label(sorted(node.map_keys), defaults)


def key_defaults(node: ListOf) -> Mapping[str, Any]:
    if not isinstance(node.items, Struct):
        return {}
    declared: Mapping[str, Any] = getattr(node.items, "key_defaults", {})
    return declared or KEY_DEFAULTS.get(node.items.name, {})


def _value_label(item: Any) -> str:
    if isinstance(item, dict):
        raise ElementError("associative list without keys has an element that's a map type")
    if isinstance(item, list):
        raise ElementError("not supported: associative list with lists as elements")
    if item is None:
        raise ElementError("associative list without keys has an element that's an explicit null")
    return f"v:{_json(item)}"


def _single_key_label(key: str) -> Label:
    start = f'k:{{"{key}":'

    def label(item: Any) -> str:
        try:
            return f"{start}{_json(item[key])}}}"
        except (KeyError, TypeError, IndexError):
            raise _unnamed(item, key) from None

    return label


def _keys_label(keys: list[str], defaults: Mapping[str, Any]) -> Label:
    def label(item: Any) -> str:
        if not isinstance(item, dict):
            raise _unnamed(item, keys[0])
        named = {}
        for key in keys:
            if key in item:
                named[key] = item[key]
            elif key in defaults:
                named[key] = defaults[key]
            else:
                raise _unnamed(item, key)
        return f"k:{_json(named)}"

    return label


def _unnamed(item: Any, key: str) -> ElementError:
    if item is None:
        return ElementError("associative list with keys may not have a null element")
    if not isinstance(item, dict):
        return ElementError("associative list with keys may not have non-map elements")
    return ElementError(
        f'associative list with keys has an element that omits key field "{key}"'
        " (and doesn't have default value)"
    )


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def path_text(path: Iterable[str]) -> str:
    """`.spec.containers[name="app"].image`"""
    return "".join(element_text(element) for element in path)


def element_text(element: str) -> str:
    form, content = element[:2], element[2:]
    if form == "f:":
        return f".{content}"
    if form == "k:":
        return f"[{','.join(f'{key}={_json(value)}' for key, value in _key(content).items())}]"
    return f"[={content}]" if form == "v:" else f"[{content}]"


def _key(content: str) -> Mapping[str, Any]:
    loaded: Mapping[str, Any] = orjson.loads(content)
    return loaded


def dotted(*names: str) -> Path:
    """The path of a field by its names."""
    return tuple(field_label(name) for name in names)


def is_element(text: str) -> bool:
    """Whether a key of FieldsV1 can be understood."""
    form, content = text[:2], text[2:]
    if form == "f:":
        return True
    try:
        if form == "i:":
            return content.lstrip("-").isdecimal()
        return (form == "v:" and _json(orjson.loads(content)) != "") or _is_key(form, content)
    except orjson.JSONDecodeError:
        return False


def _is_key(form: str, content: str) -> bool:
    return form == "k:" and isinstance(orjson.loads(content), dict)
