"""Label selectors as text: what Scale's status and the wide columns of workloads show."""

from typing import Any

_OPERATORS = {"In": "in", "NotIn": "notin"}


def selector_text(selector: Any) -> str:
    """A LabelSelector, or a plain map of labels, in the form of a query parameter; "" when it is empty."""
    if not isinstance(selector, dict):
        return ""
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    terms = [(key, f"{key}={value}") for key, value in (selector.get("matchLabels") or {}).items()]
    terms += [(each.get("key", ""), _term(each)) for each in selector.get("matchExpressions") or []]
    return ",".join(text for _, text in sorted(terms))


def _term(expression: dict[str, Any]) -> str:
    key, operator = expression.get("key", ""), expression.get("operator", "")
    if operator == "Exists":
        return str(key)
    if operator == "DoesNotExist":
        return f"!{key}"
    values = ",".join(sorted(expression.get("values") or []))
    return f"{key} {_OPERATORS.get(operator, operator)} ({values})"
