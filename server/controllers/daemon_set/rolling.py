"""Who is next in a DaemonSet's rolling update. Pure.

Without surge old pods go and the new ones follow, so that no more than maxUnavailable nodes are without one;
with it new pods come first, no more than maxSurge at once. Old pods that do not work anyway are not counted.
"""

from itertools import islice
from typing import NamedTuple

from kubeling.objects.meta import Object
from server.controllers.daemon_set.assessment import Turn
from server.controllers.daemon_set.fleet import Fleet


class Move(NamedTuple):
    create_on: list[str]
    delete: list[Object]


def next_move(set_: Object, fleet: Fleet) -> Move:
    desired = fleet.totals["desired"]
    surge, unavailable = bounds(set_, desired)
    return _surge(fleet, desired, surge) if surge else _replace(fleet, unavailable)


def surges(set_: Object) -> bool:
    """Whether a node may have two pods for a while."""
    return bounds(set_, 1)[0] > 0


def bounds(set_: Object, desired: int) -> tuple[int, int]:
    """maxSurge and maxUnavailable as numbers; shares are rounded up."""
    strategy = set_["spec"].get("updateStrategy") or {}
    if strategy.get("type") != "RollingUpdate":
        return 0, 0
    rolling = strategy.get("rollingUpdate") or {}
    surge = _number(rolling.get("maxSurge", 0), desired)
    unavailable = _number(rolling.get("maxUnavailable", 1), desired)
    return surge, unavailable or (0 if surge else 1)


def _number(bound: int | str, of: int) -> int:
    return -(-int(bound[:-1]) * of // 100) if isinstance(bound, str) else int(bound)


def _replace(fleet: Fleet, unavailable: int) -> Move:
    turns = fleet.turns
    spare = max(unavailable - len(turns[Turn.AWAY]) - len(turns[Turn.BROKEN]), 0)
    going = [*turns[Turn.BROKEN].values(), *islice(turns[Turn.CANDIDATE].values(), spare)]
    return Move([], [pod for pod in going if pod is not None])


def _surge(fleet: Fleet, desired: int, surge: int) -> Move:
    turns = fleet.turns
    spare = max(surge - len(turns[Turn.AWAY]), 0)
    sunset = max(fleet.available - desired, 0)
    going = [*turns[Turn.REPLACED].values(), *islice(turns[Turn.SUNSET].values(), sunset)]
    coming = [*turns[Turn.BROKEN], *islice(turns[Turn.CANDIDATE], spare)]
    return Move(coming, [pod for pod in going if pod is not None])
