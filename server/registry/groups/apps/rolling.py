"""Validation of rolling updates' bounds: a number of pods or a percentage."""

import re

from kubeling.objects.errors import Cause
from server.registry.causes import at_least, invalid

_PERCENT = re.compile(r"[0-9]+%")
_PERCENT_TEXT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex"
    " used for validation is '[0-9]+%')"
)


def bound_causes(field: str, bound: int | str | None, *, limited: bool = False) -> list[Cause]:
    """`limited`: a percentage may not be more than all."""
    if bound is None or isinstance(bound, int):
        return at_least(field, bound)
    if not _PERCENT.fullmatch(bound):
        return [invalid(field, bound, _PERCENT_TEXT)]
    if limited and int(bound[:-1]) > 100:
        return [invalid(field, bound, "must not be greater than 100%")]
    return []


def is_zero(bound: int | str | None) -> bool:
    return bound in (0, "0%") or bound is None
