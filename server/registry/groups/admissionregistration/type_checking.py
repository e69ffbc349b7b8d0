"""What is doubtful in a policy's expressions when the types of what it matches are looked at.

Only warnings come of it, for the policy's status. What is matched by a wildcard is not looked at.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import product

from kubeling.objects.meta import Object
from server.cel.errors import CompileError
from server.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Decl,
    FieldDecl,
    ObjectType,
    Type,
    list_of,
    map_of,
)
from server.registry.groups.admissionregistration.expressions import Composition
from server.registry.kind import Kind, api_version
from server.schema.custom.rule_types import escaped
from server.schema.nodes import ListOf, MapOf, Node, Scalar, Struct

Find = Callable[[str, str, str], Kind | None]
"""A kind by group, version and plural."""

_MOST_TYPES = 10
_SCALARS = {
    "string": STRING, "bool": BOOL, "int32": INT, "int64": INT, "float64": DOUBLE, "[]uint8": BYTES,
    "v1.Time": TIMESTAMP, "v1.MicroTime": TIMESTAMP,
}  # fmt: skip


def expression_warnings(policy: Object, find: Find) -> list[Object]:
    """The warnings of a ValidatingAdmissionPolicy, as they stand in its status."""
    spec = policy.get("spec") or {}
    checks = [
        (f"{api_version(kind.group, version)}, Kind={kind.kind}", _composition(spec, kind, version))
        for kind, version in matched(spec, find)
    ]
    found: list[Object] = []
    for position, each in enumerate(spec.get("validations") or ()):
        for name in ("expression", "messageExpression"):
            texts = [
                f"{what}: {problem}\n"
                for what, composition in checks
                if (problem := _problem(composition, each.get(name) or "", authorizer=name == "expression"))
            ]
            if texts:
                where = f"spec.validations[{position}].{name}"
                found.append({"fieldRef": where, "warning": "\n".join(texts)})
    return found


def matched(spec: Object, find: Find) -> list[tuple[Kind, str]]:
    """The kinds that a policy names, with the version."""
    found: dict[tuple[str, str, str], tuple[Kind, str]] = {}
    for group, version, plural in _named((spec.get("matchConstraints") or {}).get("resourceRules") or []):
        kind = find(group, version, plural)
        if kind is not None:
            found[group, version, kind.kind] = (kind, version)
    return [found[key] for key in sorted(found)][:_MOST_TYPES]


def _named(rules: list[Object]) -> Iterator[tuple[str, str, str]]:
    for rule in rules:
        lists = [rule.get(name) or [] for name in ("apiGroups", "apiVersions", "resources")]
        if not any("*" in each for each in lists):
            yield from (
                (group, version, plural) for group, version, plural in product(*lists) if "/" not in plural
            )


def _composition(spec: Object, kind: Kind, version: str) -> Composition:
    struct = kind.struct(version)
    composition = Composition(spec, object_type=DYN if struct is None else type_of(struct))
    for each in spec.get("variables") or ():
        composition.declare(each.get("name") or "", each.get("expression") or "")
    return composition


def _problem(composition: Composition, expression: str, *, authorizer: bool) -> str:
    if not expression.strip():
        return ""
    try:
        composition.environment(authorizer=authorizer).check(expression)
    except CompileError as error:
        return str(error)
    return ""


@lru_cache(maxsize=64)
def type_of(struct: Struct) -> Type:
    """The type of a kind's objects as expressions see it."""
    return _type(struct, ())


def _type(node: Node, inside: tuple[Struct, ...]) -> Type:
    match node:
        case Scalar():
            return _SCALARS.get(node.go_type, DYN)
        case ListOf():
            return list_of(_type(node.items, inside))
        case MapOf():
            return map_of(STRING, _type(node.values, inside))
        case Struct() if node not in inside:
            return _object(node, (*inside, node))
    return DYN


def _object(struct: Struct, inside: tuple[Struct, ...]) -> Type:
    fields = {
        known_as: FieldDecl(name, Decl(_type(field.node, inside)))
        for name, field in struct.fields.items()
        if (known_as := escaped(name)) is not None
    }
    return ObjectType(struct.go_type, (), fields) if fields else DYN
