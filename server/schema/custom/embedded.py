"""Resources within resources (x-kubernetes-embedded-resource): their type and their metadata."""

from collections.abc import Callable
from typing import Any

from kubeling.objects import names
from kubeling.objects.errors import Cause
from server.schema import causes

Schema = dict[str, Any]
Check = Callable[[Any, str, list[Cause]], None]


def embedded_check(schema: Schema) -> Check | None:
    """The check of all embedded resources within a schema; None when it has none."""
    own = bool(schema.get("x-kubernetes-embedded-resource"))
    fields = [
        (name, found)
        for name, each in (schema.get("properties") or {}).items()
        if (found := embedded_check(each))
    ]
    items = embedded_check(schema["items"]) if isinstance(schema.get("items"), dict) else None
    others = schema.get("additionalProperties")
    beyond = embedded_check(others) if isinstance(others, dict) else None
    if not own and not fields and items is None and beyond is None:
        return None

    def check(value: Any, path: str, found: list[Cause]) -> None:
        if type(value) is dict:
            if own:
                found.extend(resource_causes(value, path))
            for name, each in fields:
                if name in value:
                    each(value[name], f"{path}.{name}" if path else name, found)
            if beyond is not None:
                for key, item in value.items():
                    beyond(item, f"{path}[{key}]", found)
        elif type(value) is list and items is not None:
            for position, item in enumerate(value):
                items(item, f"{path}[{position}]", found)

    return check


def resource_causes(value: dict[str, Any], path: str) -> list[Cause]:
    """What is wrong with the apiVersion, the kind and the metadata of an embedded resource."""
    prefix = f"{path}." if path else ""
    found = [causes.required(f"{prefix}{name}") for name in ("apiVersion", "kind") if name not in value]
    if "apiVersion" in value:
        found += _text_causes(f"{prefix}apiVersion", value["apiVersion"], _group_version_errors)
    if "kind" in value:
        found += _text_causes(f"{prefix}kind", value["kind"], _kind_errors)
    if isinstance(value.get("metadata"), dict):
        found += _metadata_causes(f"{prefix}metadata", value["metadata"])
    return found


def _text_causes(field: str, value: Any, errors: Callable[[str], list[str]]) -> list[Cause]:
    if not isinstance(value, str):
        return [causes.invalid(field, value, "must be a string")]
    if not value:
        return [causes.required(field)]
    return [causes.invalid(field, value, each) for each in errors(value)]


def _group_version_errors(text: str) -> list[str]:
    return [f"unexpected GroupVersion string: {text}"] if text.count("/") > 1 else []


def _kind_errors(kind: str) -> list[str]:
    errors = names.label_1035_errors(kind.lower())
    return [f"may have mixed case, but should otherwise match: {','.join(errors)}"] if errors else []


def _metadata_causes(field: str, metadata: dict[str, Any]) -> list[Cause]:
    found: list[Cause] = []
    for name, errors in (("name", names.path_segment_errors), ("namespace", names.label_errors)):
        text = metadata.get(name)
        if isinstance(text, str) and text:
            found += [causes.invalid(f"{field}.{name}", text, each) for each in errors(text)]
    for key, text in _entries(metadata.get("labels")):
        found += [causes.invalid(f"{field}.labels", key, each) for each in names.qualified_name_errors(key)]
        found += [causes.invalid(f"{field}.labels", text, each) for each in names.label_value_errors(text)]
    for key, _ in _entries(metadata.get("annotations")):
        wrong = names.qualified_name_errors(key.lower())
        found += [causes.invalid(f"{field}.annotations", key, each) for each in wrong]
    return found


def _entries(value: Any) -> list[tuple[str, str]]:
    if not isinstance(value, dict):
        return []
    return [(key, each) for key, each in value.items() if isinstance(each, str)]
