"""How far and how fast an autoscaler goes to what its metrics ask for: limits, windows and policies.

What was asked for, and by how much was scaled, is kept in memory only, as upstream does: a controller that
starts anew scales down no sooner than a window later.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from kubeling.objects.meta import Object

DOWN_WINDOW = 300.0
"""Seconds for which the highest recommendation holds, unless the spec says otherwise."""
_MOST = 2**31 - 1
_WITHIN = ("DesiredWithinRange", "the desired count is within the acceptable range")
_TOO_FEW = ("TooFewReplicas", "the desired replica count is less than the minimum replica count")
_TOO_MANY = ("TooManyReplicas", "the desired replica count is more than the maximum replica count")
_UP_RATE = ("ScaleUpLimit", "the desired replica count is increasing faster than the maximum scale rate")
_DOWN_RATE = ("ScaleDownLimit", "the desired replica count is decreasing faster than the maximum scale rate")
_UP_STABLE = (
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
)
_DOWN_STABLE = (
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
)
_READY = ("ReadyForNewScale", "recommended size matches current size")

Why = tuple[str, str]
"""A reason and its message."""


class Decision(NamedTuple):
    """How many replicas there are to be; why it may scale; whether it is limited, and by what."""

    replicas: int
    able: Why
    limited: bool
    limit: Why


class _At(NamedTuple):
    moment: float
    replicas: int


@dataclass(slots=True)
class History:
    """Of one autoscaler, on the monotonic clock: recommendations, and replicas added and deleted."""

    recommended: list[_At] = field(default_factory=list)
    added: list[_At] = field(default_factory=list)
    deleted: list[_At] = field(default_factory=list)

    def begin(self, replicas: int, now: float) -> None:
        """The size that was there first counts as the first recommendation."""
        if not self.recommended:
            self.recommended.append(_At(now, replicas))

    def recommend(self, replicas: int, now: float, *, window: float) -> None:
        """Remember it, and nothing that is older than the window."""
        self.recommended = [each for each in self.recommended if each.moment >= now - window]
        self.recommended.append(_At(now, replicas))

    def scaled(self, behavior: Object | None, *, before: int, after: int, now: float) -> None:
        if behavior is None:
            return  # without policies nobody asks
        name, change = ("scaleUp", after - before) if after > before else ("scaleDown", before - after)
        changes = self.added if after > before else self.deleted
        longest = max(policy["periodSeconds"] for policy in behavior[name]["policies"])
        changes[:] = [each for each in changes if each.moment >= now - longest]
        changes.append(_At(now, change))


def decide(spec: Object, history: History, *, current: int, wanted: int, now: float) -> Decision:
    """Remember what is wanted, and say what is to be done about it."""
    behavior = spec.get("behavior")
    if behavior is None:
        stable = _highest(history, wanted, now)
        history.recommend(wanted, now, window=DOWN_WINDOW)
        able = _READY if stable == wanted else _DOWN_STABLE
        replicas, limit = _within_default_limits(spec, current, stable)
    else:
        stable = _stabilized(behavior, history, current=current, wanted=wanted, now=now)
        able = _READY if stable == wanted else _UP_STABLE if wanted >= current else _DOWN_STABLE
        replicas, limit = _within_policies(spec, history, current, stable, now)
    return Decision(replicas, able, replicas != stable, limit)


def lowest(spec: Object) -> int:
    minimum: int = spec.get("minReplicas", 1)
    return minimum


def _highest(history: History, wanted: int, now: float) -> int:
    recent = (each.replicas for each in history.recommended if each.moment >= now - DOWN_WINDOW)
    return max((wanted, *recent))


def _within_default_limits(spec: Object, current: int, wanted: int) -> tuple[int, Why]:
    """At most twice as many, or four."""
    rate = max(2 * current, 4)
    most, why = (rate, _UP_RATE) if spec["maxReplicas"] > rate else (spec["maxReplicas"], _TOO_MANY)
    if wanted < lowest(spec):
        return lowest(spec), _TOO_FEW
    return (most, why) if wanted > most else (wanted, _WITHIN)


def _stabilized(behavior: Object, history: History, *, current: int, wanted: int, now: float) -> int:
    """The lowest of the recent recommendations to go up, the highest to go down, else what there is."""
    up_window = float(behavior["scaleUp"].get("stabilizationWindowSeconds", 0))
    down_window = float(behavior["scaleDown"].get("stabilizationWindowSeconds", DOWN_WINDOW))
    up = min((wanted, *(each.replicas for each in history.recommended if each.moment > now - up_window)))
    down = max((wanted, *(each.replicas for each in history.recommended if each.moment > now - down_window)))
    history.recommend(wanted, now, window=max(up_window, down_window))
    return min(max(current, up), down)


def _within_policies(
    spec: Object, history: History, current: int, wanted: int, now: float
) -> tuple[int, Why]:
    if wanted > current:
        rate = max(_up_limit(spec["behavior"]["scaleUp"], history, current, now), current)
        most, why = (rate, _UP_RATE) if spec["maxReplicas"] > rate else (spec["maxReplicas"], _TOO_MANY)
        return (most, why) if wanted > most else (wanted, _WITHIN)
    if wanted < current:
        rate = min(_down_limit(spec["behavior"]["scaleDown"], history, current, now), current)
        least, why = (rate, _DOWN_RATE) if lowest(spec) < rate else (lowest(spec), _TOO_FEW)
        return (least, why) if wanted < least else (wanted, _WITHIN)
    return wanted, _WITHIN


def _up_limit(rules: Object, history: History, current: int, now: float) -> int:
    if rules["selectPolicy"] == "Disabled":
        return current
    limits: list[int] = []
    for policy in rules["policies"]:
        start = _at_start(policy, history, current, now)
        share = math.ceil(start * (1 + policy["value"] / 100))
        limits.append(start + policy["value"] if policy["type"] == "Pods" else share)
    chosen = min if rules["selectPolicy"] == "Min" else max
    return chosen(limits, default=_MOST)


def _down_limit(rules: Object, history: History, current: int, now: float) -> int:
    if rules["selectPolicy"] == "Disabled":
        return current
    limits: list[int] = []
    for policy in rules["policies"]:
        start = _at_start(policy, history, current, now)
        share = int(start * (1 - policy["value"] / 100))
        limits.append(start - policy["value"] if policy["type"] == "Pods" else share)
    chosen = max if rules["selectPolicy"] == "Min" else min
    return chosen(limits, default=0)


def _at_start(policy: Object, history: History, current: int, now: float) -> int:
    """How many replicas there were when the policy's period began."""
    since = now - policy["periodSeconds"]
    return current - _sum(history.added, since) + _sum(history.deleted, since)


def _sum(changes: Iterable[_At], since: float) -> int:
    return sum(each.replicas for each in changes if each.moment > since)
