"""Regular expressions in the syntax of RE2, which matches in linear time: Go's and CEL's.

The library is imported with the first expression.
"""

from functools import lru_cache
from typing import Any

_MEMORY = 1 << 22
"""Bytes that one compiled expression may take."""
_WORDS = (
    ("missing ]: ", "missing closing ]: "),
    ("missing ): ", "missing closing ): "),
    ("no argument for repetition operator: ", "missing argument to repetition operator: "),
    ("bad repetition operator: ", "invalid nested repetition operator: "),
    ("invalid repetition size: ", "invalid repeat count: "),
    ("invalid perl operator: ", "invalid or unsupported Perl syntax: "),
    ("invalid named capture group: ", "invalid named capture: "),
)
"""RE2's words for what is wrong, and Go's."""


class RegexError(ValueError):
    """The text of Go's regexp package."""


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> Any:
    """A compiled expression with `search`, `finditer` and so on.

    Raises:
        RegexError: it does not follow the syntax.
    """
    import re2  # type: ignore[import-untyped]

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        return re2.compile(pattern, options)
    except re2.error as error:
        raise RegexError(_go_text(error.args[0])) from error
    except UnicodeEncodeError as error:
        raise RegexError("error parsing regexp: invalid UTF-8") from error


def _go_text(error: bytes | str) -> str:
    text = error.decode(errors="replace") if isinstance(error, bytes) else str(error)
    for own, theirs in _WORDS:
        if text.startswith(own):
            text = theirs + text[len(own) :]
            break
    what, _, where = text.partition(": ")
    return f"error parsing regexp: {what}: `{where}`" if where else f"error parsing regexp: {what}"
