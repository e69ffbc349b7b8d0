"""Functions of strings: the standard ones, and the strings extension in the version that Kubernetes has."""

from typing import Any

from kubeling.objects.regex import RegexError, compiled
from server.cel.errors import CostExceeded, EvaluationError
from server.cel.functions import Library
from server.cel.library.formatting import formatted

LIBRARY = Library()
_function, _member = LIBRARY.function, LIBRARY.member

_LONGEST = 4_000_000
"""Characters that a function may make: more than fits into a request."""


def _bounded(length: int) -> None:
    if length > _LONGEST:
        raise CostExceeded


def pattern(text: str) -> Any:
    """A compiled regular expression.

    Raises:
        EvaluationError: it is none.
    """
    try:
        return compiled(text)
    except RegexError as error:
        raise EvaluationError(str(error)) from error


def _matches(text: str, expression: str) -> bool:
    return pattern(expression).search(text) is not None


_member("startsWith", "string, string -> bool", cost="prefix", id="starts_with_string")(str.startswith)
_member("endsWith", "string, string -> bool", cost="prefix", id="ends_with_string")(str.endswith)
_member("contains", "string, string -> bool", cost="substring_search", id="contains_string")(
    lambda text, part: part in text
)
_member("matches", "string, string -> bool", cost="regex", id="matches_string")(_matches)
_function("matches", "string, string -> bool", cost="regex", id="matches")(_matches)


@_member("charAt", "string, int -> string")
def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise EvaluationError(f"index out of range: {index}")
    return text[index : index + 1]


@_member("indexOf", "string, string -> int", cost="traverse")
def _index(text: str, part: str) -> int:
    return text.find(part)


@_member("indexOf", "string, string, int -> int", cost="traverse")
def _index_from(text: str, part: str, start: int) -> int:
    if not part:
        return start
    if not 0 <= start <= len(text):
        raise EvaluationError(f"index out of range: {start}")
    return text.find(part, start)


@_member("lastIndexOf", "string, string -> int", cost="traverse")
def _last_index(text: str, part: str) -> int:
    return text.rfind(part)


@_member("lastIndexOf", "string, string, int -> int", cost="traverse")
def _last_index_from(text: str, part: str, start: int) -> int:
    if not part:
        return start
    if not 0 <= start <= len(text):
        raise EvaluationError(f"index out of range: {start}")
    return text.rfind(part, 0, start + len(part))


def _ascii(text: str, low: int, shift: int) -> str:
    return text.translate({code: code + shift for code in range(low, low + 26)})


_member("lowerAscii", "string -> string", cost="scan")(lambda text: _ascii(text, ord("A"), 32))
_member("upperAscii", "string -> string", cost="scan")(lambda text: _ascii(text, ord("a"), -32))
_member("trim", "string -> string", cost="scan")(
    lambda text: text.strip(
        "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008"
        "\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
    )
)
_member("reverse", "string -> string", cost="scan")(lambda text: text[::-1])


@_member("replace", "string, string, string -> string", cost="scan_twice")
def _replace(text: str, old: str, new: str) -> str:
    return _replace_some(text, old, new, -1)


@_member("replace", "string, string, string, int -> string", cost="scan_twice")
def _replace_some(text: str, old: str, new: str, count: int) -> str:
    found = text.count(old) if count < 0 else min(count, text.count(old))
    _bounded(len(text) + found * len(new))
    return text.replace(old, new, count if count >= 0 else -1)


@_member("split", "string, string -> list<string>", cost="scan_twice")
def _split(text: str, separator: str) -> list[str]:
    return text.split(separator) if separator else list(text)


@_member("split", "string, string, int -> list<string>", cost="scan_twice")
def _split_some(text: str, separator: str, count: int) -> list[str]:
    if count == 0:
        return []
    if count < 0:
        return _split(text, separator)
    if separator:
        return text.split(separator, count - 1)
    return [*text[: count - 1], text[count - 1 :]] if len(text) >= count else list(text)


@_member("substring", "string, int -> string", cost="scan")
def _substring_from(text: str, start: int) -> str:
    if not 0 <= start <= len(text):
        raise EvaluationError(f"index out of range: {start}")
    return text[start:]


@_member("substring", "string, int, int -> string", cost="scan")
def _substring(text: str, start: int, end: int) -> str:
    if start > end:
        raise EvaluationError(f"invalid substring range. start: {start}, end: {end}")
    if not 0 <= start <= len(text):
        raise EvaluationError(f"index out of range: {start}")
    if end > len(text):
        raise EvaluationError(f"index out of range: {end}")
    return text[start:end]


@_member("join", "list<string> -> string", cost="result_twice")
def _join(texts: list[str]) -> str:
    return _join_by(texts, "")


@_member("join", "list<string>, string -> string", cost="result_twice")
def _join_by(texts: list[str], separator: str) -> str:
    if not all(type(each) is str for each in texts):
        raise EvaluationError("no such overload")
    _bounded(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


@_member("format", "string, list<dyn> -> string", cost="format_text")
def _format(template: str, args: list[Any]) -> str:
    found = formatted(template, args)
    _bounded(len(found))
    return found


@_function("strings.quote", "string -> string", cost="scan")
def _quote(text: str) -> str:
    marks = {"\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v"}
    marks |= {"\\": "\\\\", '"': '\\"'}
    return '"' + "".join(marks.get(char, char) for char in text) + '"'
