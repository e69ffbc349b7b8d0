"""The formats of strings that custom resources' schemas may ask for, as Go's libraries check them.

Names are in their normal form, without dashes. A format that is not here is not checked.
"""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import date
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from urllib.parse import urlsplit

from kubeling.objects import names

Check = Callable[[str], bool]

_DATE_TIME = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt](\d{2}):(\d{2}):(\d{2})([.,]\d+)?([Zz]|[+-]\d{2}:?\d{2})?", re.ASCII
)
_DURATION = re.compile(
    r"[+-]?\s*(\d+)\s*(ns|nanos?|nanoseconds?|us|µs|μs|micros?|microseconds?|ms|millis?|milliseconds?"
    r"|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?)",
    re.ASCII,
)
_GO_DURATION = re.compile(r"[+-]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)", re.ASCII)
_CREDIT_CARD = re.compile(
    r"(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}"
    r"|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})"
)
_LETTER = r"a-zA-Z\u00a1-\uffff"
_HOSTNAME = re.compile(
    rf"[0-9{_LETTER}](-?[0-9{_LETTER}]{{0,62}})?"
    rf"|([0-9{_LETTER}]([-0-9{_LETTER}]{{0,61}}[0-9{_LETTER}])?\.)+[{_LETTER}]{{2,63}}"
)
_EMAIL = re.compile(r"(?:[^<>]*<)?[^\s@<>,;:\\\"()\[\]]+@[^\s@<>,;:\\\"()]+>?")
_RGB = re.compile(
    r"rgb\(\s*(0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])\s*,\s*(0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])\s*,"
    r"\s*(0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])\s*\)"
)
_MAC = re.compile(
    r"[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){7}"
    r"|[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){19}|[0-9A-Fa-f]{4}(\.[0-9A-Fa-f]{4}){2}"
    r"|[0-9A-Fa-f]{4}(\.[0-9A-Fa-f]{4}){3}|[0-9A-Fa-f]{4}(\.[0-9A-Fa-f]{4}){9}"
)


def _matches(pattern: str) -> Check:
    expression = re.compile(pattern)
    return lambda text: expression.fullmatch(text) is not None


def _parses(parse: Callable[[str], object]) -> Check:
    def check(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return check


def _uuid(version: str, variant: str = "[0-9a-f]") -> Check:
    return _matches(
        rf"(?i:[0-9a-f]{{8}}-?[0-9a-f]{{4}}-?{version}[0-9a-f]{{3}}-?{variant}[0-9a-f]{{3}}-?[0-9a-f]{{12}})"
    )


def _is_date(text: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        return False
    return _parses(date.fromisoformat)(text)


def _is_date_time(text: str) -> bool:
    found = _DATE_TIME.fullmatch(text)
    if found is None or not _is_date(found[1]):
        return False
    return int(found[2]) < 24 and int(found[3]) < 60 and int(found[4]) < 60


def _is_duration(text: str) -> bool:
    return _GO_DURATION.fullmatch(text) is not None or _DURATION.fullmatch(text) is not None


def _is_base64(text: str) -> bool:
    try:
        base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _is_uri(text: str) -> bool:
    """What Go's url.ParseRequestURI takes: an absolute URI or an absolute path."""
    if not text or any(ord(char) < 0x20 or ord(char) == 0x7F for char in text) or " " in text.split("?")[0]:
        return False
    if text.startswith("/"):
        return True
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text) is not None and _parses(urlsplit)(text)


def _is_ipv6(text: str) -> bool:
    return "%" not in text and ":" in text and _parses(IPv6Address)(text)


def _is_cidr(text: str) -> bool:
    address, slash, length = text.partition("/")
    if not slash or not re.fullmatch(r"\d{1,3}", length, re.ASCII) or "%" in address:
        return False
    return _parses(_ipv6_network if ":" in address else _ipv4_network)(text)


def _ipv4_network(text: str) -> object:
    return IPv4Network(text, strict=False)


def _ipv6_network(text: str) -> object:
    return IPv6Network(text, strict=False)


def _is_isbn10(text: str) -> bool:
    digits = re.sub(r"[\s-]", "", text)
    if not re.fullmatch(r"(?:[0-9]{9}X|[0-9]{10})", digits):
        return False
    total = sum((10 - place) * (10 if char == "X" else int(char)) for place, char in enumerate(digits))
    return total % 11 == 0


def _is_isbn13(text: str) -> bool:
    digits = re.sub(r"[\s-]", "", text)
    if not re.fullmatch(r"[0-9]{13}", digits):
        return False
    return sum((3 if place % 2 else 1) * int(char) for place, char in enumerate(digits)) % 10 == 0


def _is_credit_card(text: str) -> bool:
    digits = re.sub(r"\D", "", text, flags=re.ASCII)
    if not _CREDIT_CARD.fullmatch(digits):
        return False
    doubled = [int(char) * (1 + place % 2) for place, char in enumerate(reversed(digits))]
    return sum(each - 9 if each > 9 else each for each in doubled) % 10 == 0


def _is_hostname(text: str) -> bool:
    return len(text) <= 255 and _HOSTNAME.fullmatch(text) is not None


_FORMATS: dict[str, Check] = {
    "bsonobjectid": _matches(r"[0-9a-fA-F]{24}"),
    "uri": _is_uri,
    "email": lambda text: _EMAIL.fullmatch(text) is not None,
    "hostname": _is_hostname,
    "ipv4": _parses(IPv4Address),
    "ipv6": _is_ipv6,
    "cidr": _is_cidr,
    "mac": lambda text: _MAC.fullmatch(text) is not None,
    "uuid": _uuid("[0-9a-f]"),
    "uuid3": _uuid("3"),
    "uuid4": _uuid("4", "[89ab]"),
    "uuid5": _uuid("5", "[89ab]"),
    "isbn": lambda text: _is_isbn10(text) or _is_isbn13(text),
    "isbn10": _is_isbn10,
    "isbn13": _is_isbn13,
    "creditcard": _is_credit_card,
    "ssn": _matches(r"\d{3}[- ]?\d{2}[- ]?\d{4}"),
    "hexcolor": _matches(r"#?([0-9a-fA-F]{3}|[0-9a-fA-F]{6})"),
    "rgbcolor": lambda text: _RGB.fullmatch(text) is not None,
    "byte": _is_base64,
    "password": lambda text: True,
    "date": _is_date,
    "duration": _is_duration,
    "datetime": _is_date_time,
    "k8sshortname": lambda text: not names.label_errors(text),
    "k8slongname": lambda text: not names.subdomain_errors(text),
}


def format_check(name: str) -> Check | None:
    """What tells whether a text is of a format; None for a format that is not checked."""
    return _FORMATS.get(name.replace("-", ""))
