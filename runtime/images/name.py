"""Whether the text in a container's `image` is an image name, and what is said when it is not. Pure text."""

import re

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*(?::[0-9]+)?")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REMAINDER = re.compile(
    rf"{_PART}(?:/{_PART})*"
    r"(?P<tag>:[\w][\w.-]{0,127})?(?P<digest>@[A-Za-z][\w+.-]*:[0-9a-fA-F]{32,})?",
    re.ASCII,
)
_ID = re.compile(r"[a-f0-9]{64}")


class InvalidName(ValueError):
    """The text is no image name; str() says why, as Kubernetes does."""


def with_default_tag(image: str) -> str:
    """The name with `:latest` where it has neither tag nor digest.

    Raises:
        InvalidName: it is none.
    """
    if _ID.fullmatch(image):
        why = f"invalid repository name ({image}), cannot specify 64-byte hexadecimal strings"
        raise InvalidName(why)
    domain, remainder = _split(image)
    match = _REMAINDER.fullmatch(remainder)
    path = re.split(r"[:@]", remainder, maxsplit=1)[0]
    if path != path.lower():
        full = path if domain or "/" in path else f"library/{path}"
        raise InvalidName(f"invalid reference format: repository name ({full}) must be lowercase")
    if match is None or (domain and not _DOMAIN.fullmatch(domain)):
        raise InvalidName("invalid reference format")
    return image if match["tag"] or match["digest"] else f"{image}:latest"


def _split(image: str) -> tuple[str, str]:
    """The registry, "" for Docker's, and the rest. What has a dot, a colon or a capital is a registry."""
    first, slash, rest = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        return first, rest
    return "", image
