"""DefaultTolerationSeconds: a pod outlives a lost node by five minutes unless it says otherwise."""

from typing import Any

from server.admission.chain import Plugin
from server.registry.admission import Attributes
from server.registry.kind import Kind

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
SECONDS = 300


class DefaultTolerationSeconds(Plugin):
    def concerns(self, kind: Kind, operation: str, subresource: str) -> bool:
        """Updates, too: who sends all tolerations again need not repeat those that were added."""
        written = operation in ("CREATE", "UPDATE") and not subresource
        return written and kind.plural == "pods" and not kind.group

    def mutate(self, attributes: Attributes) -> None:
        if attributes.obj is None:
            return
        spec = attributes.obj["spec"]
        tolerations: list[dict[str, Any]] = spec.get("tolerations") or []
        missing = [
            key for key in (NOT_READY, UNREACHABLE) if not any(_tolerates(each, key) for each in tolerations)
        ]
        added = [
            {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": SECONDS}
            for key in missing
        ]
        if added:
            spec["tolerations"] = [*tolerations, *added]


def _tolerates(toleration: dict[str, Any], key: str) -> bool:
    """Whether it speaks about that taint with effect NoExecute; an empty key or effect means any."""
    return toleration.get("key", "") in (key, "") and toleration.get("effect", "") in ("NoExecute", "")
