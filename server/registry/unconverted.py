"""Work that finds out halfway that it needs an object in another version, which only a webhook can make."""

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Conversion(Protocol):
    async def __call__(self) -> None:
        """Make the object, or find that it cannot be made: who asks again is told."""
        ...


class Unconverted(Exception):
    def __init__(self, convert: Conversion) -> None:
        super().__init__()
        self.convert = convert


async def resolved(work: Callable[[], T]) -> T:
    """What `work` gives, which is done again after each conversion that it lacks."""
    while True:
        try:
            return work()
        except Unconverted as missing:
            await missing.convert()
