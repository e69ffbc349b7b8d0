"""`$(VAR)` references in command, args and env values, as the kubelet expands them."""

import re
from collections.abc import Mapping

_REFERENCE = re.compile(r"\$(\$|\(([^)]*)\))")


def expand(text: str, env: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by its value; `$$` is a literal `$`; an unknown reference stays as it is."""

    def replacement(match: re.Match[str]) -> str:
        if match[1] == "$":
            return "$"
        return env.get(match[2], match[0])

    return _REFERENCE.sub(replacement, text)


def missing(text: str, env: Mapping[str, str]) -> list[str]:
    """The names that the text refers to and that have no value, sorted."""
    names = {match[2] for match in _REFERENCE.finditer(text) if match[1] != "$"}
    return sorted(name for name in names if not env.get(name))
