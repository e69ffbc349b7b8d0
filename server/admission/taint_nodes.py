"""TaintNodesByCondition: a new node takes no pods until it has said that it is ready.

The node lifecycle controller takes the taint away then.
"""

from server.admission.chain import Plugin
from server.registry.admission import Attributes

TAINT = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}


class TaintNodesByCondition(Plugin):
    def mutate(self, attributes: Attributes) -> None:
        is_new_node = attributes.operation == "CREATE" and str(attributes.kind.resource) == "nodes"
        if not is_new_node or attributes.obj is None or attributes.subresource:
            return
        spec = attributes.obj.setdefault("spec", {})
        taints = spec.get("taints") or []
        if not any((each.get("key"), each.get("effect")) == tuple(TAINT.values()) for each in taints):
            spec["taints"] = [*taints, dict(TAINT)]
