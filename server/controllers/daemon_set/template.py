"""The pod that a DaemonSet puts on a node, and the node that such a pod is for. Pure.

The scheduler binds it: the node's name stands in the required affinity, in the place of what the template
requires. A node that is not ready, or under pressure, or cordoned, keeps its daemons.
"""

import copy
from collections.abc import Mapping
from typing import Any

from kubeling.client.resources import DAEMON_SETS
from kubeling.objects import meta
from kubeling.objects.meta import Object
from kubeling.objects.taints import NO_EXECUTE, NO_SCHEDULE
from server.controllers.owned.ownership import owner_reference
from server.controllers.owned.pod_control import pod_from_template
from server.controllers.owned.revisions import POD_LABEL

GENERATION = "deprecated.daemonset.template.generation"
GENERATION_LABEL = "pod-template-generation"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_TOLERATED = (
    ("not-ready", NO_EXECUTE),
    ("unreachable", NO_EXECUTE),
    ("disk-pressure", NO_SCHEDULE),
    ("memory-pressure", NO_SCHEDULE),
    ("pid-pressure", NO_SCHEDULE),
    ("unschedulable", NO_SCHEDULE),
)
_ON_HOST_NETWORK = ("network-unavailable", NO_SCHEDULE)


def new_pod(set_: Object, node: str, *, revision: str) -> Object:
    """`revision` is the hash that marks the pods of a template."""
    pod = pod_from_template(set_["spec"]["template"], set_, owner_reference(set_, DAEMON_SETS))
    labels = pod["metadata"].setdefault("labels", {})
    if generation := meta.annotations(set_).get(GENERATION):
        labels[GENERATION_LABEL] = generation
    labels[POD_LABEL] = revision
    pod["spec"]["tolerations"] = tolerations(pod["spec"])
    pod["spec"]["affinity"] = _bound_to(pod["spec"].get("affinity") or {}, node)
    return pod


def tolerations(spec: Mapping[str, Any]) -> list[Object]:
    """The template's, and what every daemon tolerates for ever."""
    found = copy.deepcopy(list(spec.get("tolerations") or ()))
    network = (_ON_HOST_NETWORK,) if spec.get("hostNetwork") else ()
    for name, effect in (*_TOLERATED, *network):
        added = {"key": f"node.kubernetes.io/{name}", "operator": "Exists", "effect": effect}
        places = [place for place, each in enumerate(found) if _same(each, added)]
        if places:
            found[places[0]] = added
        else:
            found.append(added)
    return found


def target_node(pod: Object) -> str:
    """The node that it is on, or waits for; empty when it is none of ours."""
    spec = pod.get("spec") or {}
    if spec.get("nodeName"):
        return str(spec["nodeName"])
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(_REQUIRED) or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field.get("key") == "metadata.name" and field.get("operator") == "In":
                values = field.get("values") or []
                return str(values[0]) if len(values) == 1 else ""
    return ""


def _same(one: Object, other: Object) -> bool:
    return all(
        (one.get(key) or "") == (other.get(key) or "") for key in ("key", "operator", "effect", "value")
    )


def _bound_to(affinity: Object, node: str) -> Object:
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    return {**affinity, "nodeAffinity": {**(affinity.get("nodeAffinity") or {}), _REQUIRED: required}}
