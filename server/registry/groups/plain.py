"""Strategies of kinds that so far need no more than a trait or two."""

from kubeling.objects.names import path_segment_errors
from server.registry.strategy import Strategy


class PathNamed(Strategy):
    """Any name that can stand in a URL path: RBAC, whose names hold colons."""

    create_on_update = True

    def name_errors(self, name: str) -> list[str]:
        return path_segment_errors(name)
