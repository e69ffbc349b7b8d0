"""The kinds of flowcontrol.apiserver.k8s.io. They are stored; requests are not queued by them yet."""

from server.registry.groups.plain import Generational
from server.registry.groups.subresources import status
from server.registry.kind import Kind

_GROUP = "flowcontrol.apiserver.k8s.io"

KINDS = (
    Kind(
        _GROUP,
        "FlowSchema",
        "flowschemas",
        Generational(),
        namespaced=False,
        subresources=status("FlowSchema"),
    ),
    Kind(
        _GROUP,
        "PriorityLevelConfiguration",
        "prioritylevelconfigurations",
        Generational(),
        namespaced=False,
        subresources=status("PriorityLevelConfiguration"),
    ),
)
