"""Finds where the last lines of a log begin, reading backwards, however long the file is."""

import os
from collections.abc import Iterator

from runtime.node.logs.record import is_partial

_BLOCK = 64 * 1024


def tail_offset(descriptor: int, lines: int) -> int:
    """Offset of the last `lines` lines; the pieces of a long line count as one line."""
    size = os.fstat(descriptor).st_size
    if lines <= 0:
        return size
    found = 0
    start = size
    for offset, line in _lines_backwards(descriptor, size):
        if found == 0 or not is_partial(line):
            found += 1
        if found > lines:
            return start
        start = offset
    return 0


def _lines_backwards(descriptor: int, size: int) -> Iterator[tuple[int, bytes]]:
    """(offset, line without newline), the last line first; an unfinished line at the end is one too."""
    rest = b""
    at = size
    first = True
    while at > 0:
        begin = max(0, at - _BLOCK)
        rest = os.pread(descriptor, at - begin, begin) + rest
        at = begin
        lines = rest.split(b"\n")
        rest = lines[0]
        offset = begin + len(rest) + sum(len(line) + 1 for line in lines[1:])
        for line in reversed(lines[1:]):
            offset -= len(line)
            if line or not first:
                yield offset, line
            first = False
            offset -= 1
    if rest:
        yield 0, rest
