"""Keys that a YAML (or JSON) document gives twice, by line: for strict clients of server-side apply."""

from collections.abc import Iterator
from typing import Any

import orjson


def duplicate_keys(content: bytes, value: Any) -> list[str]:
    """`line 11: key "image" already set in map`, for each; `value` is what the content was read as.

    Reading drops duplicates, so only a document with more colons than its value needs is read again.
    """
    if content.count(b":") <= orjson.dumps(value).count(b":"):
        return []
    import yaml  # slow to import, and seldom needed

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root = yaml.compose(content, loader)
    except (yaml.YAMLError, RecursionError):
        return []
    found = sorted(_found(root), key=lambda each: each[0])
    return [f'line {line}: key "{key}" already set in map' for line, key in found]


def _found(root: Any) -> Iterator[tuple[int, str]]:
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if not isinstance(getattr(node, "value", None), list):
            continue
        seen: set[str] = set()
        for child in node.value:
            if not isinstance(child, tuple):
                waiting.append(child)
                continue
            key, item = child
            if key.value in seen:
                yield key.start_mark.line + 1, key.value
            seen.add(key.value if isinstance(key.value, str) else "")
            waiting.append(item)
