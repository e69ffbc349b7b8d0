"""What a value's check finds, before its place in the object is known: it travels from the inside out."""

from collections.abc import Iterable
from typing import Any

from kubeling.objects.errors import Cause
from server.schema import causes


class Problem:
    """One error. `parts` are the steps to the value, the last one the outermost."""

    __slots__ = ("detail", "kind", "parts", "value")

    def __init__(self, kind: str, value: Any = "", detail: Any = "") -> None:
        self.kind = kind
        """invalid or type (detail: what follows the path in the message), required, enum (detail: the
        values), long or many (detail: the limit), whole (detail: what follows the quoted path)."""
        self.value = value
        self.detail = detail
        self.parts: list[str] = []

    def cause(self) -> Cause:
        field = "".join(reversed(self.parts)).removeprefix(".")
        match self.kind:
            case "required":
                return causes.required(field)
            case "enum":
                return causes.not_supported(field, self.value, self.detail)
            case "long":
                return causes.too_long(field, self.detail)
            case "many":
                return causes.too_many(field, self.value, self.detail)
            case "whole":
                return causes.invalid(causes.NOWHERE, "", f"{causes.shown(field)} {self.detail}")
        make = causes.type_invalid if self.kind == "type" else causes.invalid
        return make(field or causes.NOWHERE, self.value, f"{field} in body {self.detail}")


Problems = list[Problem] | None


def inside(problems: list[Problem], part: str) -> list[Problem]:
    """The same problems, one step further out."""
    for each in problems:
        each.parts.append(part)
    return problems


def as_causes(problems: Iterable[Problem]) -> list[Cause]:
    return list(dict.fromkeys(each.cause() for each in problems))
