"""The plug-ins that every server runs, in upstream's order."""

from server.admission.chain import Chain
from server.admission.default_tolerations import DefaultTolerationSeconds
from server.admission.namespace_lifecycle import NamespaceLifecycle
from server.admission.node_restriction import NodeRestriction
from server.admission.priority import Priority
from server.admission.service_account import ServiceAccount
from server.admission.taint_nodes import TaintNodesByCondition
from server.storage.store import Store


def standard(store: Store) -> Chain:
    return Chain(
        [
            NamespaceLifecycle(store),
            ServiceAccount(store),
            NodeRestriction(),
            TaintNodesByCondition(),
            Priority(store),
            DefaultTolerationSeconds(),
        ]
    )
