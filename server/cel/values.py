"""Values that JSON does not have. The others are Python's: bool, int, float, str, bytes, list, dict, None."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from server.cel.errors import EvaluationError

T = TypeVar("T")

NANOSECONDS = 1_000_000_000
_LONGEST = 315_576_000_000 * NANOSECONDS
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Uint(int):
    """An unsigned integer."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    nanoseconds: int

    def __post_init__(self) -> None:
        if abs(self.nanoseconds) > _LONGEST:
            raise EvaluationError("range")


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """Nanoseconds since the epoch."""

    nanoseconds: int

    def __post_init__(self) -> None:
        if not -62_135_596_800 <= self.nanoseconds // NANOSECONDS <= 253_402_300_799:
            raise EvaluationError("timestamp overflow")

    def moment(self) -> datetime:
        return _EPOCH + timedelta(seconds=self.nanoseconds // NANOSECONDS)


@dataclass(frozen=True, slots=True)
class Optional(Generic[T]):
    has_value: bool
    content: Any = None

    def value(self) -> Any:
        if not self.has_value:
            raise EvaluationError("optional.none() dereference")
        return self.content


NONE: Optional[Any] = Optional(False)


@dataclass(frozen=True, slots=True)
class TypeOf:
    """A type as a value: what type() gives."""

    name: str


class SetList(list[Any]):
    """A list of type set: equal to another with the same items in any order."""

    __slots__ = ()


class MapList(list[Any]):
    """A list of type map; `keys` tell its items apart."""

    keys: tuple[str, ...] = ()
