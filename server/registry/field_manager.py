"""The name of a field manager: what form it must have."""

from kubeling.objects.errors import Cause
from server.registry.causes import invalid, too_long

_LONGEST = 128


def manager_of(user_agent: str) -> str:
    """The manager of a client that names none: what can be printed of its program's name."""
    program = user_agent.partition("/")[0]
    if not program.isprintable():
        program = "".join(character for character in program if character.isprintable())
    return program.encode()[:_LONGEST].decode(errors="ignore")


def field_manager_causes(field: str, manager: str) -> list[Cause]:
    """At most 128 bytes, and characters that can be printed."""
    found = [too_long(field, _LONGEST)] if len(manager.encode()) > _LONGEST else []
    position = 0
    for character in manager:
        if not character.isprintable():
            why = f"invalid character U+{ord(character):04X} (at position {position})"
            found.append(invalid(field, manager, why))
        position += len(character.encode())
    return found
