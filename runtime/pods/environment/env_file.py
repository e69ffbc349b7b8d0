"""Files of variables that one container writes and another's `fileKeyRef` reads: lines `NAME='value'`.

The format is what a POSIX shell would read the same way: nothing is expanded, a value may have several lines.
"""

import re
from collections.abc import Iterator

_ENTRY = re.compile(
    r"""
    [ \t]*
    (?: (?P<nothing> (?:\#[^\n]*)? )
      | (?P<name> [^=\n]* ) =
        (?: '(?P<value> [^']* )' (?P<rest> [^\n]* ) | (?P<bare> [^\n]* ) )
    )
    (?:\n|\Z)
    """,
    re.VERBOSE,
)
_AFTER_VALUE = re.compile(r"[ \t]*|[ \t]+#.*")


class EnvFileError(ValueError):
    """The file is not of the format; the text says where."""


def value_in(text: str, key: str) -> str:
    """The first value of that name, "" when there is none. What follows it is not looked at.

    Raises:
        EnvFileError: a line before it is not of the format.
    """
    return next((value for name, value in _entries(text) if name == key), "")


def _entries(text: str) -> Iterator[tuple[str, str]]:
    place = 0
    while place < len(text):
        line = text.count("\n", 0, place) + 1
        entry = _ENTRY.match(text, place)
        if entry is None:
            raise EnvFileError(f"invalid environment variable format at line {line}")
        place = entry.end()
        if entry["nothing"] is None:
            yield _entry(entry, line)


def _entry(entry: re.Match[str], line: int) -> tuple[str, str]:
    name = entry["name"]
    why = ""
    if not name.strip():
        why = "invalid environment variable format"
    elif name != name.rstrip():
        why = "whitespace before '=' is not allowed"
    elif entry["value"] is None and not entry["bare"].startswith("'"):
        why = "value must be enclosed in single quotes"
    elif entry["value"] is None or not _AFTER_VALUE.fullmatch(entry["rest"]):
        why = "unexpected content after closing quote"
    if why:
        raise EnvFileError(f"{why} at line {line}")
    return name, entry["value"]
