"""Rows made ready for being inserted by few statements, each in one call of the driver.

A call gives up Python's interpreter lock and must get it back from a busy event loop. There are statements
for some numbers of rows only, so that each is found prepared. Rows that lack are made up, of revision 0,
which the statements leave out.
"""

from collections.abc import Iterator, Sequence
from itertools import chain

from server.storage.database import Row

COLUMNS = 8
LARGEST = 256
PADDING = (0, "", "", "", "", 0, False, b"")
"""A row that is not inserted."""


def padded(rows: Sequence[Row], *, padding: Row = PADDING) -> Iterator[tuple[list[object], int]]:
    """The values of so many rows, a power of two up to `LARGEST`, as often as needed."""
    for start in range(0, len(rows), LARGEST):
        part = rows[start : start + LARGEST]
        size = 1 << (len(part) - 1).bit_length()
        values = list(chain.from_iterable(part))
        values.extend(chain.from_iterable([padding] * (size - len(part))))
        yield values, size
