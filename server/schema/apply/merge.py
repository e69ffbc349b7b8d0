"""A live object and an applied configuration become one; items of lists by their names, in a stable order."""

from collections.abc import Sequence
from typing import Any

from server.schema.apply.elements import ElementError
from server.schema.apply.plan import Branch, ListPlan, Plan


def merged(plan: Plan, live: Any, config: Any) -> Any:
    """What the configuration says, and where it says nothing, what is there. Neither argument is changed."""
    if plan.leaf or not live:
        return config
    if isinstance(plan, ListPlan):
        return _merged_lists(plan, live, config)
    assert isinstance(plan, Branch)
    if config is None and isinstance(live, dict) and not plan.deduced:
        return live
    if not isinstance(live, dict) or not isinstance(config, dict):
        return config
    out = dict(live)
    for key, item in config.items():
        out[key] = merged(plan.place(key)[1], live[key], item) if key in live else item
    return out


def _merged_lists(plan: ListPlan, live: Any, config: Any) -> Any:
    if config is None:
        return live
    if not isinstance(live, list) or not isinstance(config, list):
        return config
    theirs, ours = _by_name(plan, live), _by_name(plan, config)
    out = []
    for name in _order(list(theirs), list(ours)):
        if name not in ours:
            out.extend(theirs[name])
        elif name in theirs:
            out.append(merged(plan.items, theirs[name][0], ours[name][0]))
        else:
            out.append(ours[name][0])
    return out


def _by_name(plan: ListPlan, items: Sequence[Any]) -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {}
    for item in items:
        try:
            out.setdefault(plan.label(item), []).append(item)
        except ElementError:
            continue
    return out


def _order(live: list[str], config: list[str]) -> list[str]:
    """The configuration's order for its items; the others stay before the shared one that they preceded."""
    ours, theirs = set(config), set(live)
    shared = [name for name in config if name in theirs]
    out: list[str] = []
    left = right = 0
    while left < len(live) or right < len(config):
        if left < len(live) and right < len(config):
            if live[left] == config[right]:
                out.append(live[left])
                left, right, shared = left + 1, right + 1, shared[1:]
                continue
            if live[left] in ours and shared and shared[0] != live[left]:
                left += 1  # its turn comes later, where the configuration has it
                continue
        if left < len(live) and live[left] not in ours:
            out.append(live[left])
            left += 1
        elif right < len(config):
            out.append(config[right])
            shared = shared[1:] if shared and shared[0] == config[right] else shared
            right += 1
        else:
            left += 1
    return out
