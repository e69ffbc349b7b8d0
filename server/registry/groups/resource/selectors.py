"""Selectors of devices: expressions over what a driver says of one device."""

from functools import cache, lru_cache

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.cel.environment import Environment
from server.cel.errors import CompileError
from server.cel.estimate import estimate
from server.cel.types import BOOL, DYN, STRING, Decl, FieldDecl, ObjectType, Type, map_of
from server.registry.causes import forbidden, invalid, required, too_long

_LONGEST, _MOST_COST = 10 * 1024, 1_000_000
_MOST_ATTRIBUTES, _LONGEST_DOMAIN, _LONGEST_ID, _LONGEST_DRIVER = 32, 63, 32, 63
_QUANTITY = Type("kubernetes.Quantity")
_REMEMBERED = 512


def selector_causes(field: str, selector: Object) -> list[Cause]:
    cel = selector.get("cel")
    if cel is None:
        return [required(f"{field}.cel")]
    where = f"{field}.cel.expression"
    expression = cel.get("expression") or ""
    if len(expression.encode()) > _LONGEST:
        return [too_long(where, _LONGEST)]
    problem, too_complex = _judged(expression)
    if problem:
        return [invalid(where, expression, problem)]
    return [forbidden(where, "too complex, exceeds cost limit")] if too_complex else []


@lru_cache(maxsize=_REMEMBERED)
def _judged(expression: str) -> tuple[str, bool]:
    """What is wrong with an expression, and whether it may cost too much."""
    try:
        checked = _environment().check(expression)
    except CompileError as error:
        return f"compilation failed: {error}", False
    if checked.type.name not in ("bool", "dyn"):
        return f"must evaluate to bool or the unknown type, not {checked.type}", False
    return "", estimate(checked, _device()).most > _MOST_COST


@cache
def _environment() -> Environment:
    return Environment(_device())


@cache
def _device() -> dict[str, Decl]:
    attributes, capacity = _by_domain(Decl(DYN, 64)), _by_domain(Decl(_QUANTITY))
    fields = {
        "driver": Decl(STRING, _LONGEST_DRIVER, 2),
        "attributes": attributes,
        "capacity": capacity,
        "allowMultipleAllocations": Decl(BOOL, 0, 4),
    }
    device = ObjectType(
        "kubernetes.DRADevice", (), {name: FieldDecl(name, each) for name, each in fields.items()}
    )
    return {"device": Decl(device)}


def _by_domain(value: Decl) -> Decl:
    """Values by the domain and by the name behind it."""
    inner = Decl(
        map_of(STRING, value.type), _MOST_ATTRIBUTES, 2, element=value, key=Decl(STRING, _LONGEST_ID, 2)
    )
    return Decl(
        map_of(STRING, inner.type), _MOST_ATTRIBUTES, 2, element=inner, key=Decl(STRING, _LONGEST_DOMAIN, 2)
    )
