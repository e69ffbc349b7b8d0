"""Chooses a node for a candidate: every filter must agree, then the highest weighted score wins. Pure."""

import random
from collections.abc import Sequence

from server.scheduler.diagnosis import Diagnosis
from server.scheduler.framework import Candidate
from server.scheduler.node_state import NodeState
from server.scheduler.plugins import FILTERS, SCORES


def select_node(candidate: Candidate, nodes: Sequence[NodeState]) -> NodeState | Diagnosis:
    """The node, or why there is none. Among equals chance decides."""
    diagnosis = Diagnosis()
    feasible = [node for node in nodes if _passes(candidate, node, diagnosis)]
    if not feasible:
        return diagnosis
    if len(feasible) == 1:
        return feasible[0]
    totals = dict.fromkeys((node.name for node in feasible), 0.0)
    for plugin in SCORES:
        for name, score in plugin.score(candidate, feasible).items():
            totals[name] += plugin.weight * score
    best = max(totals.values())
    return random.choice([node for node in feasible if totals[node.name] == best])


def _passes(candidate: Candidate, node: NodeState, diagnosis: Diagnosis) -> bool:
    for plugin in FILTERS:
        rejection = plugin.filter(candidate, node)
        if rejection is not None:
            diagnosis.rejections[node.name] = rejection
            diagnosis.events |= plugin.events
            return False
    return True
