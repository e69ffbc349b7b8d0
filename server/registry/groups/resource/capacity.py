"""What a device's capacity says of how much of it a request may take."""

from decimal import Decimal

from kubeling.objects import quantity
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import forbidden, invalid, required
from server.registry.groups.resource.names import distinct

_MOST_VALUES = 10
_BOTH = 'exactly one policy can be specified, cannot specify "validValues" and "validRange" at the same time'


def capacity_causes(field: str, capacity: Object, *, shared: bool) -> list[Cause]:
    """`shared`: the device may be allocated several times."""
    policy, where = capacity.get("requestPolicy"), f"{field}.requestPolicy"
    if policy is None:
        return []
    if not shared:
        return [forbidden(where, "allowMultipleAllocations must be true")]
    values, span, whole = (
        policy.get("validValues") or [],
        policy.get("validRange"),
        capacity.get("value", "0"),
    )
    if values and span is not None:
        return [forbidden(where, _BOTH)]
    for name, given in (("validValues", values), ("validRange", span)):
        if given and policy.get("default") is None:
            return [required(f"{where}.default", f"required when {name} is defined")]
    if values:
        return _value_causes(f"{where}.validValues", values, usual=policy["default"], whole=whole)
    return [] if span is None else _range_causes(f"{where}.validRange", span, policy["default"], whole)


def _value_causes(field: str, values: list[str], *, usual: str, whole: str) -> list[Cause]:
    amounts = [quantity.parse(each) for each in values]
    causes = [
        invalid(f"{field}[{n}]", values[n], "values must be sorted in ascending order")
        for n in range(1, len(values))
        if amounts[n - 1] > amounts[n]
    ]
    causes += distinct(
        field,
        values,
        _MOST_VALUES,
        lambda where, each: _larger_causes(where, each, than=whole, what="option"),
        lambda each: str(quantity.value(each)),
    )
    if quantity.parse(usual) not in amounts:
        causes.append(invalid(field, usual, "default value is not valid according to the requestPolicy"))
    return causes


def _larger_causes(field: str, text: str, *, than: str, what: str) -> list[Cause]:
    if quantity.parse(text) <= quantity.parse(than):
        return []
    return [invalid(field, text, f"{what} is larger than capacity value: {than}")]


def _range_causes(field: str, span: Object, usual: str, whole: str) -> list[Cause]:
    least, most, step = span.get("min"), span.get("max"), span.get("step")
    if least is None:
        return [required(f"{field}.min", "required when validRange is defined")]
    causes = _larger_causes(f"{field}.min", least, than=whole, what="min")
    low, middle = quantity.parse(least), quantity.parse(usual)
    if middle < low:
        causes.append(invalid(f"{field}.min", usual, f"default is less than min: {least}"))
    if most is not None:
        if low > quantity.parse(most):
            causes.append(invalid(f"{field}.max", least, f"min is larger than max: {most}"))
        causes += _larger_causes(f"{field}.max", most, than=whole, what="max")
        if middle > quantity.parse(most):
            causes.append(invalid(f"{field}.max", usual, f"default is more than max: {most}"))
    if step is None:
        return causes
    where, reached = f"{field}.step", low + quantity.parse(step)
    if reached > quantity.parse(whole):
        shown = _sum(reached, like=least)
        causes.append(invalid(where, step, f"one step {shown} is larger than capacity value: {whole}"))
    for value in (usual, *([] if most is None else [most])):
        causes += _step_causes(where, value, least=least, step=step)
    return causes


def _step_causes(field: str, value: str, *, least: str, step: str) -> list[Cause]:
    size = quantity.value(step)
    if size and (quantity.value(value) - quantity.value(least)) % size == 0:
        return []
    return [invalid(field, value, f"value is not a multiple of a given step ({step}) from ({least})")]


def _sum(amount: Decimal, *, like: str) -> str:
    return quantity.format_quantity(amount, "binary" if like.endswith("i") else "decimal")
