"""Label selectors as text: in queries, and in the names of metrics that events tell."""

from kubeling.objects.meta import Object

_OPERATORS = {"In": "in", "NotIn": "notin"}


def query_text(selector: Object | None) -> str:
    """In the form of a query parameter; "" for one that is not there or empty."""
    found = selector or {}
    terms = [(key, f"{key}={value}") for key, value in (found.get("matchLabels") or {}).items()]
    terms += [(each["key"], _term(each)) for each in found.get("matchExpressions") or ()]
    return ",".join(text for _, text in sorted(terms))


def printed(selector: Object | None) -> str:
    """As upstream's messages print it."""
    if selector is None:
        return "nil"
    labels = sorted((selector.get("matchLabels") or {}).items())
    pairs = "".join(f"{key}: {value}," for key, value in labels)
    rules = "".join(
        "LabelSelectorRequirement{"
        f"Key:{each['key']},Operator:{each['operator']},Values:[{' '.join(each.get('values') or ())}],"
        "},"
        for each in selector.get("matchExpressions") or ()
    )
    known = f"map[string]string{{{pairs}}}"
    return f"&LabelSelector{{MatchLabels:{known},MatchExpressions:[]LabelSelectorRequirement{{{rules}}},}}"


def _term(expression: Object) -> str:
    key, operator = str(expression["key"]), expression["operator"]
    if operator in _OPERATORS:
        return f"{key} {_OPERATORS[operator]} ({','.join(sorted(expression.get('values') or ()))})"
    return key if operator == "Exists" else f"!{key}"
