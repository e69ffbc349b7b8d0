"""JSON values as Go's %v prints them: the form in which some of Kubernetes' messages show objects."""

from typing import Any

import orjson


def printed(value: Any) -> str:
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{printed(item)}' for key, item in sorted(value.items()))}]"
    if isinstance(value, list):
        return f"[{' '.join(printed(item) for item in value)}]"
    if value is None:
        return "<nil>"
    return value if isinstance(value, str) else orjson.dumps(value).decode()
