"""Arithmetic on ResourceLists: amounts by the name of a resource, as texts.

An amount keeps the form in which it was written (binary, decimal, exponent), as upstream's Quantity does: a
sum is in the form of its first part, unless that is nothing.
"""

from collections.abc import Container, Iterable, Mapping

from kubeling.objects import quantity

ResourceList = Mapping[str, str]


def add(one: ResourceList, other: ResourceList) -> dict[str, str]:
    """What stands in only one of them is taken over."""
    total = dict(one)
    for name, amount in other.items():
        total[name] = quantity.add(total[name], amount) if name in total else amount
    return total


def largest(one: ResourceList, other: ResourceList) -> dict[str, str]:
    """By resource, the larger amount."""
    found = dict(one)
    for name, amount in other.items():
        if name not in found or quantity.parse(amount) > quantity.parse(found[name]):
            found[name] = amount
    return found


def increase(new: ResourceList, old: ResourceList) -> dict[str, str]:
    """By how much the amounts have grown; nothing is said of those that have not."""
    grown = {name: quantity.subtract(amount, old.get(name, "0")) for name, amount in new.items()}
    return {name: amount for name, amount in grown.items() if quantity.parse(amount) > 0}


def masked(amounts: ResourceList, names: Container[str]) -> dict[str, str]:
    """Only what is named."""
    return {name: amount for name, amount in amounts.items() if name in names}


def exceeding(amounts: ResourceList, bounds: ResourceList) -> list[str]:
    """The resources of which there is more than the bound, where there is one."""
    return [
        name
        for name, amount in amounts.items()
        if name in bounds and quantity.parse(amount) > quantity.parse(bounds[name])
    ]


def equal(one: ResourceList, other: ResourceList) -> bool:
    """Whether both mean the same, however it is written."""
    return one.keys() == other.keys() and all(
        quantity.parse(amount) == quantity.parse(other[name]) for name, amount in one.items()
    )


def negative(amounts: ResourceList) -> list[str]:
    return [name for name, amount in amounts.items() if quantity.parse(amount) < 0]


def total(parts: Iterable[ResourceList]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for part in parts:
        for name, amount in part.items():
            found.setdefault(name, []).append(amount)
    return {name: each[0] if len(each) == 1 else quantity.total(each) for name, each in found.items()}


def as_text(amounts: ResourceList) -> str:
    """`cpu=1,pods=2`: how refusals tell amounts."""
    return ",".join(f"{name}={quantity.canonical(amounts[name])}" for name in sorted(amounts))
