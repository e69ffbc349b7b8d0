"""Whether names, label keys and values have the form that Kubernetes asks for.

Each function returns the list of what is wrong, in upstream's words, empty when nothing is. The same few keys
are checked again and again: their outcomes are remembered.
"""

import re
from collections.abc import Callable
from functools import lru_cache, wraps

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_1035 = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_VALUE = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_CONFIG_KEY = re.compile(r"[-._a-zA-Z0-9]+")
_RELAXED_ENV = re.compile(r"[ -<>-~]+")
_LONGEST_REMEMBERED = 128

_LABEL_TEXT = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and"
    " end with an alphanumeric character"
)
_LABEL_1035_TEXT = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic"
    " character, and end with an alphanumeric character"
)
_SUBDOMAIN_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must"
    " start and end with an alphanumeric character"
)
_QUALIFIED_TEXT = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric"
    " character"
)
_LABEL_VALUE_TEXT = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must"
    " start and end with an alphanumeric character"
)
_CONFIG_KEY_TEXT = "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"


def _regex_error(text: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}'" for example in examples)
    return f"{text} (e.g. {shown.replace(' or ', ',  or ')}, regex used for validation is '{pattern}')"


def _too_long(limit: int) -> str:
    return f"must be no more than {limit} bytes"


Check = Callable[[str], list[str]]


def _remembered(check: Check) -> Check:
    """The check, with its outcomes kept, but those of long values, which could fill the memory."""
    known = lru_cache(maxsize=4096)(lambda value: tuple(check(value)))

    @wraps(check)
    def remembering(value: str) -> list[str]:
        return list(known(value)) if len(value) <= _LONGEST_REMEMBERED else check(value)

    return remembering


def label_errors(value: str) -> list[str]:
    """RFC 1123 label: the name of a namespace, a container, a port of a pod."""
    errors = [_too_long(63)] if len(value) > 63 else []
    if not _LABEL.fullmatch(value):
        errors.append(_regex_error(_LABEL_TEXT, "[a-z0-9]([-a-z0-9]*[a-z0-9])?", "my-name", "123-abc"))
    return errors


def label_1035_errors(value: str) -> list[str]:
    """DNS-1035 label: the name of a Service."""
    errors = [_too_long(63)] if len(value) > 63 else []
    if not _LABEL_1035.fullmatch(value):
        errors.append(_regex_error(_LABEL_1035_TEXT, "[a-z]([-a-z0-9]*[a-z0-9])?", "my-name", "abc-123"))
    return errors


def subdomain_errors(value: str) -> list[str]:
    """RFC 1123 subdomain: the name of most objects."""
    errors = [_too_long(253)] if len(value) > 253 else []
    if not _SUBDOMAIN.fullmatch(value):
        pattern = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
        errors.append(_regex_error(_SUBDOMAIN_TEXT, pattern, "example.com"))
    return errors


@_remembered
def qualified_name_errors(value: str) -> list[str]:
    """A label key, an annotation key, a resource name: `name` or `prefix/name`."""
    prefix, slash, short = value.rpartition("/")
    pattern = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
    if "/" in prefix:
        whole = _regex_error(f"a qualified name {_QUALIFIED_TEXT}", pattern, "MyName", "my.name", "123-abc")
        return [f"{whole} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"]
    errors: list[str] = []
    if slash and not prefix:
        errors.append("prefix part must be non-empty")
    elif prefix:
        errors += [f"prefix part {error}" for error in subdomain_errors(prefix)]
    if not short:
        errors.append("name part must be non-empty")
    elif len(short) > 63:
        errors.append(f"name part {_too_long(63)}")
    if not _QUALIFIED.fullmatch(short):
        text = _regex_error(f"name part {_QUALIFIED_TEXT}", pattern, "MyName", "my.name", "123-abc")
        errors.append(text)
    return errors


def label_value_errors(value: str) -> list[str]:
    errors = [_too_long(63)] if len(value) > 63 else []
    if not _LABEL_VALUE.fullmatch(value):
        pattern = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?"
        errors.append(_regex_error(_LABEL_VALUE_TEXT, pattern, "MyValue", "my_value", "12345"))
    return errors


def path_segment_errors(value: str) -> list[str]:
    """What any name must satisfy to stand in a URL path (RBAC objects allow nothing narrower)."""
    if value in (".", ".."):
        return [f"may not be '{value}'"]
    return [f"may not contain '{character}'" for character in "/%" if character in value]


def env_name_errors(value: str) -> list[str]:
    """The name of an environment variable, by the relaxed rule: any printable ASCII but '='."""
    if not _RELAXED_ENV.fullmatch(value):
        return [
            "a valid environment variable name must consist only of printable ASCII characters other than '='"
        ]
    return []


def config_key_errors(value: str) -> list[str]:
    """A key of a ConfigMap's or Secret's data."""
    errors = ["must be no more than 253 characters"] if len(value) > 253 else []
    if not _CONFIG_KEY.fullmatch(value):
        errors.append(_regex_error(_CONFIG_KEY_TEXT, "[-._a-zA-Z0-9]+", "key.name", "KEY_NAME", "key-name"))
    elif value == ".":
        errors.append("must not be '.'")
    elif value.startswith(".."):
        errors.append("must not be '..'" if value == ".." else "must not start with '..'")
    return errors
