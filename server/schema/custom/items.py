"""What tells the items of a list of type map apart."""

from typing import Any


def key_of(item: Any, keys: tuple[str, ...]) -> Any:
    """What tells an item of a list of type map apart; None for what has no key that could."""
    if type(item) is not dict:
        return None
    found = tuple((type(item.get(key)), item.get(key)) for key in keys)
    return None if any(type(value) in (dict, list) for _, value in found) else found


def by_keys(items: list[Any], keys: tuple[str, ...]) -> dict[Any, Any]:
    """The items of a list of type map by their keys; the first of several."""
    found: dict[Any, Any] = {}
    for item in items:
        key = key_of(item, keys)
        if key is not None:
            found.setdefault(key, item)
    return found
