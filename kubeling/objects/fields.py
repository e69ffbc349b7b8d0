"""Field selectors: `metadata.name=x,spec.nodeName!=y`. Each kind says which fields it offers."""

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


def parse_field_selector(text: str) -> FieldSelector:
    """The selector of a `fieldSelector` query parameter; backslash escapes `,`, `=` and itself in values.

    Raises:
        FieldSelectorError: a term has no operator.
    """
    terms = [term for term in _split_terms(text) if term]
    return FieldSelector(tuple(_term(term) for term in terms)) if terms else EVERYTHING


def _split_terms(text: str) -> list[str]:
    terms, current, escaped = [], "", False
    for character in text:
        if character == "," and not escaped:
            terms.append(current)
            current = ""
            continue
        current += character
        escaped = character == "\\" and not escaped
    return [*terms, current]


def _term(term: str) -> tuple[str, str, str]:
    for position, character in enumerate(term):
        for operator in ("!=", "==", "="):
            if term.startswith(operator, position):
                value = _unescaped(term[position + len(operator) :], term)
                return term[:position].strip(), "!=" if operator == "!=" else "=", value
        if character == "\\":
            break
    raise FieldSelectorError(f"invalid selector: '{term}'; can't understand '{term}'")


def _unescaped(text: str, term: str) -> str:
    out, escaped = "", False
    for character in text:
        if escaped:
            if character not in "\\,=":
                raise FieldSelectorError(
                    f"invalid selector: '{term}'; invalid escape sequence: '\\{character}'"
                )
            out, escaped = out + character, False
        elif character == "\\":
            escaped = True
        elif character == "=":
            raise FieldSelectorError(f"invalid selector: '{term}'; unhandled '=' in value")
        else:
            out += character
    if escaped:
        raise FieldSelectorError(f"invalid selector: '{term}'; the value ends within an escape sequence")
    return out
