"""The names of ports: IANA service names."""

import re

_CHARACTERS = re.compile(r"[-a-z0-9]+")


def port_name_errors(name: str) -> list[str]:
    """What is wrong with a container port's name, or a named target port, in upstream's words."""
    errors = []
    if len(name) > 15:
        errors.append("must be no more than 15 characters")
    if not _CHARACTERS.fullmatch(name):
        errors.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not any(character.isalpha() for character in name):
        errors.append("must contain at least one letter (a-z)")
    if "--" in name:
        errors.append("must not contain consecutive hyphens")
    if name.startswith("-") or name.endswith("-"):
        errors.append("must not begin or end with a hyphen")
    return errors
