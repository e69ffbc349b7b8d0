"""Registration of the apps group's kinds."""

from server.registry.groups.plain import Generational
from server.registry.groups.subresources import scale_and_status, status
from server.registry.kind import Kind
from server.registry.strategy import Strategy

_GROUP, _ALL = "apps", ("all",)

KINDS = (
    Kind(_GROUP, "ControllerRevision", "controllerrevisions", Strategy()),
    Kind(
        _GROUP,
        "DaemonSet",
        "daemonsets",
        Generational(),
        short_names=("ds",),
        categories=_ALL,
        subresources=status("DaemonSet"),
    ),
    Kind(
        _GROUP,
        "Deployment",
        "deployments",
        Generational(),
        short_names=("deploy",),
        categories=_ALL,
        subresources=scale_and_status("Deployment"),
    ),
    Kind(
        _GROUP,
        "ReplicaSet",
        "replicasets",
        Generational(),
        short_names=("rs",),
        categories=_ALL,
        subresources=scale_and_status("ReplicaSet"),
    ),
    Kind(
        _GROUP,
        "StatefulSet",
        "statefulsets",
        Generational(),
        short_names=("sts",),
        categories=_ALL,
        subresources=scale_and_status("StatefulSet"),
    ),
)
