"""Kubernetes' functions of texts: regular expressions that find, URLs, and named formats."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import parse_qs

from kubeling.objects import names
from kubeling.objects.formats import format_check
from server.cel.errors import EvaluationError
from server.cel.functions import Library
from server.cel.library.strings import pattern
from server.cel.values import NONE, Optional

LIBRARY = Library()
_function, _member = LIBRARY.function, LIBRARY.member

_MOST = 100_000


@_member("find", "string, string -> string", cost="regex")
def _find(text: str, expression: str) -> str:
    found = pattern(expression).search(text)
    return "" if found is None else str(found.group())


@_member("findAll", "string, string -> list<string>", cost="regex")
def _find_all(text: str, expression: str) -> list[str]:
    return _find_some(text, expression, _MOST)


@_member("findAll", "string, string, int -> list<string>", cost="regex")
def _find_some(text: str, expression: str, count: int) -> list[str]:
    found: list[str] = []
    for each in pattern(expression).finditer(text):
        if 0 <= count <= len(found):
            break
        found.append(each.group())
    return found


@dataclass(frozen=True, slots=True)
class Url:
    type_name: ClassVar[str] = "kubernetes.URL"
    scheme: str
    host: str
    path: str
    query: str


_URL = re.compile(
    r"(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL
)
_HOST = re.compile(r"(?:\[[0-9a-fA-F:.%]+\]|[^\[\]:\s]*)(?::\d*)?")


def _url_of(text: str) -> Url:
    """As Go's url.ParseRequestURI: absolute, or an absolute path."""
    found = _URL.fullmatch(text)
    broken = any(ord(char) < 0x20 or char == "\x7f" for char in text) or "%" in re.sub(
        r"%[0-9a-fA-F]{2}", "", found[3] if found else ""
    )
    if found is None or broken or not (found[1] or text.startswith("/")) or " " in (found[2] or ""):
        raise EvaluationError(f'parse "{text}": invalid URI for request')
    host = (found[2] or "").rpartition("@")[2]
    if not _HOST.fullmatch(host):
        raise EvaluationError(f'parse "{text}": invalid port or host')
    return Url((found[1] or "").lower(), host, found[3], found[4] or "")


def _is_url(text: str) -> bool:
    try:
        _url_of(text)
    except EvaluationError:
        return False
    return True


def _hostname(url: Url) -> str:
    name = re.sub(r":\d*$", "", url.host)
    return name[1:-1] if name.startswith("[") else name


def _port(url: Url) -> str:
    found = re.search(r":(\d*)$", url.host)
    return found[1] if found else ""


def _escaped_path(url: Url) -> str:
    return "".join(
        char
        if char.isascii() and char not in ' "<>`^{|}\\'
        else "".join(f"%{byte:02X}" for byte in char.encode())
        for char in url.path
    )


_function("url", "string -> kubernetes.URL", cost="scan")(_url_of)
_function("isURL", "string -> bool", cost="scan")(_is_url)
_member("getScheme", "kubernetes.URL -> string")(lambda url: url.scheme)
_member("getHost", "kubernetes.URL -> string")(lambda url: url.host)
_member("getHostname", "kubernetes.URL -> string")(_hostname)
_member("getPort", "kubernetes.URL -> string")(_port)
_member("getEscapedPath", "kubernetes.URL -> string")(_escaped_path)
_member("getQuery", "kubernetes.URL -> map<string, list<string>>")(
    lambda url: parse_qs(url.query, keep_blank_values=True, max_num_fields=1000)
)


@dataclass(frozen=True, slots=True)
class NamedFormat:
    type_name: ClassVar[str] = "kubernetes.NamedFormat"
    name: str


def _prefix(text: str) -> str:
    """What stands before a generated suffix may end in a dash."""
    return text[:-1] + "a" if text.endswith("-") else text


_MESSAGES: dict[str, Any] = {
    "dns1123Label": names.label_errors,
    "dns1123Subdomain": names.subdomain_errors,
    "dns1035Label": names.label_1035_errors,
    "dns1123LabelPrefix": lambda text: names.label_errors(_prefix(text)),
    "dns1123SubdomainPrefix": lambda text: names.subdomain_errors(_prefix(text)),
    "dns1035LabelPrefix": lambda text: names.label_1035_errors(_prefix(text)),
    "qualifiedName": names.qualified_name_errors,
    "labelValue": names.label_value_errors,
}
_CHECKED = {"uri": "uri", "uuid": "uuid", "byte": "byte", "date": "date", "datetime": "datetime"}
_WORDS = {"uri": "invalid URI", "uuid": "does not match the UUID format", "byte": "invalid base64"}
_WORDS |= {"date": "invalid date", "datetime": "invalid datetime"}


def _errors(name: str, text: str) -> list[str]:
    if name in _MESSAGES:
        return list(_MESSAGES[name](text))
    matches = format_check(_CHECKED[name])
    return [] if matches is None or matches(text) else [_WORDS[name]]


@_member("validate", "kubernetes.NamedFormat, string -> optional<list<string>>", cost="format")
def _validate(format_: NamedFormat, text: str) -> Optional[Any]:
    errors = _errors(format_.name, text)
    return Optional(True, errors) if errors else NONE


@_function("format.named", "string -> optional<kubernetes.NamedFormat>")
def _named(name: str) -> Optional[Any]:
    return Optional(True, NamedFormat(name)) if name in _MESSAGES or name in _CHECKED else NONE


for _name in (*_MESSAGES, *_CHECKED):
    _function(f"format.{_name}", "-> kubernetes.NamedFormat")(lambda name=_name: NamedFormat(name))


@_function("jsonpatch.escapeKey", "string -> string", cost="scan")
def _escape_key(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1")
