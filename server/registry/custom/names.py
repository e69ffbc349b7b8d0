"""Which of the names that a definition asks for it gets: a group's definitions share none."""

from collections.abc import Iterable
from dataclasses import dataclass

from kubeling.objects.meta import Object
from server.registry.custom.definition import Definition, Names


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The outcome: what is accepted, and the condition NamesAccepted."""

    names: Object
    accepted: bool
    reason: str = "NoConflicts"
    message: str = "no conflicts found"


class _Taken:
    def __init__(self, others: Iterable[Names]) -> None:
        self.resources: set[str] = set()
        self.kinds: set[str] = set()
        for names in others:
            self.resources |= {names.plural, names.singular, *names.short_names} - {""}
            self.kinds |= {names.kind, names.list_kind} - {""}


def accept(definition: Definition, others: Iterable[Definition]) -> Acceptance:
    """`others` are the other definitions of the group; what they have got they keep."""
    asked, had = definition.names, definition.accepted
    taken = _Taken(other.accepted for other in others)
    found = dict((definition.obj.get("status") or {}).get("acceptedNames") or {"plural": "", "kind": ""})
    problem: tuple[str, str] | None = None
    for field, wanted, owned, used in (
        ("plural", asked.plural, had.plural, taken.resources),
        ("singular", asked.singular, had.singular, taken.resources),
        ("kind", asked.kind, had.kind, taken.kinds),
        ("listKind", asked.list_kind, had.list_kind, taken.kinds),
    ):
        if wanted != owned and wanted in used:
            problem = (f"{field[0].upper()}{field[1:]}Conflict", f'"{wanted}" is already in use')
        else:
            found[field] = wanted
        if field == "singular":
            problem = _accept_short_names(asked, had, taken, found) or problem
    _put(found, "categories", asked.categories)
    if problem:
        return Acceptance(found, False, *problem)
    return Acceptance(found, True)


def _accept_short_names(asked: Names, had: Names, taken: _Taken, found: Object) -> tuple[str, str] | None:
    clashes = [
        f'"{name}" is already in use'
        for name in asked.short_names
        if name not in had.short_names and name in taken.resources
    ]
    if not clashes:
        _put(found, "shortNames", asked.short_names)
        return None
    text = clashes[0] if len(clashes) == 1 else f"[{', '.join(clashes)}]"
    return ("ShortNamesConflict", text)


def _put(found: Object, field: str, names: tuple[str, ...]) -> None:
    found.pop(field, None)
    if names:
        found[field] = list(names)
