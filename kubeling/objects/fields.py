"""Field selectors: `metadata.name=x,spec.nodeName!=y`. Each kind says which fields it offers."""

import re
from collections.abc import Callable
from dataclasses import dataclass


class FieldSelectorError(ValueError):
    """The text is not a field selector."""


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """Requirements as (path, operator, value), the operator `=` or `!=`; all must hold."""

    requirements: tuple[tuple[str, str, str], ...] = ()

    @property
    def empty(self) -> bool:
        """Whether everything matches."""
        return not self.requirements

    def matches(self, get: Callable[[str], str]) -> bool:
        """Whether the object whose fields `get` reads (as text, "" when absent) is selected."""
        return all((get(path) == value) == (operator == "=") for path, operator, value in self.requirements)

    def exact(self, path: str) -> str | None:
        """The value that `path` must equal, if there is such a requirement."""
        return next(
            (value for found, operator, value in self.requirements if found == path and operator == "="), None
        )


EVERYTHING = FieldSelector()
_OPERATOR = re.compile(r"!=|==|=")


def parse_field_selector(text: str) -> FieldSelector:
    """The selector of a `fieldSelector` query parameter; backslash escapes `,`, `=` and itself in values.

    Raises:
        FieldSelectorError: a term has no operator.
    """
    terms = sorted(term for term in _split_terms(text) if term)
    return FieldSelector(tuple(_term(term, text) for term in terms)) if terms else EVERYTHING


def _split_terms(text: str) -> list[str]:
    terms, begin, escaped = [], 0, False
    for position, character in enumerate(text):
        if character == "," and not escaped:
            terms.append(text[begin:position])
            begin = position + 1
        escaped = character == "\\" and not escaped
    return [*terms, text[begin:]]


def _term(term: str, whole: str) -> tuple[str, str, str]:
    found = _OPERATOR.search(term)
    if found is None:
        raise FieldSelectorError(f"invalid selector: '{whole}'; can't understand '{term}'")
    return term[: found.start()], "!=" if found[0] == "!=" else "=", _unescaped(term[found.end() :])


def _unescaped(text: str) -> str:
    pieces, escaped = [], False
    for character in text:
        if escaped:
            if character not in "\\,=":
                raise FieldSelectorError(f"invalid field selector: invalid escape sequence: \\{character}")
            pieces.append(character)
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "=":
            raise FieldSelectorError(
                f"invalid field selector: unescaped character in value: {ord(character)}"
            )
        else:
            pieces.append(character)
    if escaped:
        raise FieldSelectorError("invalid field selector: invalid escape sequence: \\")
    return "".join(pieces)
