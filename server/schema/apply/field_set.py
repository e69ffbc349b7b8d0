"""Sets of fields in the form of FieldsV1, and the operations on them. Sets are never changed, only made anew.

A set is a dict from path elements (`f:name`, `k:{...}`, `v:...`, `i:0`) to the set below that element. An
element is a member itself when what is below it is empty, or holds the key `.`: the members of
`{"f:a": {".": {}, "f:b": {}}}` are a and a.b. Keys are kept in the order that Kubernetes writes them in.
"""

from collections.abc import Iterator
from typing import Any

Fields = dict[str, Any]

LEAF: Fields = {}
"""Below a member without further members; shared, never to be changed."""
ITSELF = "."
Path = tuple[str, ...]


def is_member(below: Fields) -> bool:
    return not below or ITSELF in below


def has(fields: Fields, path: Path) -> bool:
    below: Fields | None = fields
    for element in path:
        below = below.get(element) if below is not None else None
    return below is not None and is_member(below)


def of_path(path: Path) -> Fields:
    """The set with that one member."""
    out = LEAF
    for element in reversed(path):
        out = {element: out}
    return out


def paths(fields: Fields, prefix: Path = ()) -> Iterator[Path]:
    """The members: those of a level before those below it."""
    for element, below in fields.items():
        if element != ITSELF and is_member(below):
            yield (*prefix, element)
    for element, below in fields.items():
        if element != ITSELF:
            yield from paths(below, (*prefix, element))


def in_order(fields: Fields) -> Fields:
    """The same level with its elements in Kubernetes' order, which is that of their text."""
    keys = list(fields)
    ordered = sorted(keys)
    return fields if keys == ordered else {key: fields[key] for key in ordered}


def union(one: Fields, other: Fields) -> Fields:
    if not other or one is other:
        return one
    if not one:
        return other
    out, grown = dict(one), False
    for element, below in other.items():
        mine = out.get(element)
        grown = grown or mine is None
        out[element] = below if mine is None else _below_of_both(mine, below)
    return in_order(out) if grown else out


def _below_of_both(one: Fields, other: Fields) -> Fields:
    if one is other:
        return one
    if not one:
        return other if is_member(other) else {ITSELF: LEAF, **other}
    if not other:
        return one if is_member(one) else {ITSELF: LEAF, **one}
    return union(one, other)


def difference(fields: Fields, taken: Fields) -> Fields:
    """The members of the first that the second does not have; the first itself when those are all."""
    out = fields
    for element, below in taken.items():
        mine = fields.get(element)
        if mine is None:
            continue
        rest = _without(mine, below) if element != ITSELF else None
        if rest is mine:
            continue
        out = dict(fields) if out is fields else out
        if rest is None:
            del out[element]
        else:
            out[element] = rest
    return out


def _without(mine: Fields, taken: Fields) -> Fields | None:
    """What is left below an element, None for nothing."""
    if not mine:
        return None if is_member(taken) else mine
    return _normal(mine, difference(mine, taken if taken else {ITSELF: LEAF}))


def _normal(mine: Fields, rest: Fields) -> Fields | None:
    if rest is mine:
        return mine
    if not rest:
        return None
    return LEAF if len(rest) == 1 and ITSELF in rest else rest


def without_trees(fields: Fields, taken: Fields) -> Fields:
    """The first without the members of the second and everything below them."""
    out = fields
    for element, below in taken.items():
        mine = fields.get(element)
        if mine is None or element == ITSELF:
            continue
        rest = None if is_member(below) else _normal(mine, without_trees(mine, below))
        if rest is mine:
            continue
        out = dict(fields) if out is fields else out
        if rest is None:
            del out[element]
        else:
            out[element] = rest
    return out


def intersection(one: Fields, other: Fields) -> Fields:
    out: Fields = {}
    for element, below in one.items():
        theirs = other.get(element)
        if theirs is None:
            continue
        both = _below_in_both(below, theirs)
        if both is not None:
            out[element] = both
    return out


def _below_in_both(one: Fields, other: Fields) -> Fields | None:
    shared = is_member(one) and is_member(other)
    below = intersection(one, other) if one and other else LEAF
    below = {key: each for key, each in below.items() if key != ITSELF}
    if shared:
        return {ITSELF: LEAF, **below} if below else LEAF
    return below or None


def restricted(fields: Fields, kept: Fields) -> Fields:
    """The members that are members of the second, or lie below one."""
    out: Fields = {}
    for element, below in fields.items():
        theirs = kept.get(element)
        if theirs is None:
            continue
        rest = below if is_member(theirs) else restricted(below, theirs)
        if rest or is_member(theirs):
            out[element] = rest
    return out
