"""Validation of PriorityLevelConfigurations."""

from math import log

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import forbidden, in_range, invalid, not_supported, required
from server.registry.groups.flowcontrol.bootstrap import MANDATORY

_TYPES, _RESPONSES = ("Exempt", "Limited"), ("Queue", "Reject")
_MOST_QUEUES, _MOST_ENTROPY = 10_000_000, 60


def level_causes(obj: Object) -> list[Cause]:
    spec, name = obj.get("spec") or {}, meta.name(obj)
    causes: list[Cause] = []
    if name == "exempt" and spec.get("type") != "Exempt":
        why = f"type must be 'Exempt' if and only if name is '{name}'"
        causes.append(invalid("spec.type", spec.get("type"), why))
    elif name != "exempt" and spec.get("type") == "Exempt":
        causes.append(invalid("spec.type", "Exempt", "type must be 'Exempt' if and only if name is 'exempt'"))
    match spec.get("type"):
        case "Exempt":
            if spec.get("limited") is not None:
                why = "must be nil if the type is not Limited"
                causes.append(forbidden("spec.limited", why))
            causes += _share_causes("spec.exempt", spec.get("exempt") or {}, least=0)
        case "Limited":
            if spec.get("exempt") is not None:
                why = "must be nil if the type is Limited"
                causes.append(forbidden("spec.exempt", why))
            causes += _limited_causes("spec.limited", spec.get("limited"))
        case other:
            causes.append(not_supported("spec.type", other or "", _TYPES))
    return causes + _mandatory_causes(name, spec)


def _mandatory_causes(name: str, spec: Object) -> list[Cause]:
    """Of the exempt level, what is exempt may be changed."""
    fixed, given, but = MANDATORY["PriorityLevelConfiguration"].get(name), spec, ""
    if fixed is None:
        return []
    if name == "exempt":
        fixed, given = ({key: each for key, each in found.items() if key != name} for found in (fixed, spec))
        but = " except the 'spec.exempt' field"
    return (
        [] if given == fixed else [invalid("spec", spec, f"spec of '{name}'{but} must equal the fixed value")]
    )


def _share_causes(field: str, limits: Object, *, least: int) -> list[Cause]:
    causes: list[Cause] = []
    shares, lendable = limits.get("nominalConcurrencyShares", 0), limits.get("lendablePercent", 0)
    if shares < least:
        why = "must be a non-negative integer" if least == 0 else "must be positive"
        causes.append(invalid(f"{field}.nominalConcurrencyShares", shares, why))
    return causes + in_range(f"{field}.lendablePercent", lendable, 0, 100)


def _limited_causes(field: str, limited: Object | None) -> list[Cause]:
    if limited is None:
        return [required(field, "must not be empty when type is Limited")]
    causes = _share_causes(field, limited, least=0)
    borrowing = limited.get("borrowingLimitPercent")
    if borrowing is not None and borrowing < 0:
        why = "if specified, must be a non-negative integer"
        causes.append(invalid(f"{field}.borrowingLimitPercent", borrowing, why))
    return causes + _response_causes(f"{field}.limitResponse", limited.get("limitResponse") or {})


def _response_causes(field: str, response: Object) -> list[Cause]:
    queuing = response.get("queuing")
    match response.get("type"):
        case "Reject":
            if queuing is None:
                return []
            return [forbidden(f"{field}.queuing", "must be nil if limited.limitResponse.type is not Limited")]
        case "Queue":
            if queuing is None:
                why = "must not be empty if limited.limitResponse.type is Limited"
                return [required(f"{field}.queuing", why)]
            return _queuing_causes(f"{field}.queuing", queuing)
        case other:
            return [not_supported(f"{field}.type", other or "", _RESPONSES)]


def _queuing_causes(field: str, queuing: Object) -> list[Cause]:
    length, queues, hand = (queuing.get(name, 0) for name in ("queueLengthLimit", "queues", "handSize"))
    causes: list[Cause] = []
    if length <= 0:
        causes.append(invalid(f"{field}.queueLengthLimit", length, "must be positive"))
    if queues <= 0:
        causes.append(invalid(f"{field}.queues", queues, "must be positive"))
    if queues > _MOST_QUEUES:
        causes.append(invalid(f"{field}.queues", queues, f"must not be greater than {_MOST_QUEUES}"))
    if hand <= 0:
        causes.append(invalid(f"{field}.handSize", hand, "must be positive"))
    if hand > queues:
        why = f"should not be greater than queues ({queues})"
        causes.append(invalid(f"{field}.handSize", hand, why))
    elif hand > 0 and _entropy(queues, hand) > _MOST_ENTROPY:
        why = f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than"
        causes.append(invalid(f"{field}.handSize", hand, f"{why} {_MOST_ENTROPY}"))
    return causes


def _entropy(deck: int, hand: int) -> int:
    return -int(-log(deck, 2) * hand // 1) if deck > 1 else 0
