"""Whether a schema has rules: asked before what they need is imported."""

from typing import Any

Schema = dict[str, Any]


def has_rules(schema: Schema) -> bool:
    """Whether it, or a schema below it, has x-kubernetes-validations."""
    if schema.get("x-kubernetes-validations"):
        return True
    below = [
        *(schema.get("properties") or {}).values(),
        schema.get("items"),
        schema.get("additionalProperties"),
    ]
    return any(isinstance(each, dict) and has_rules(each) for each in below)
