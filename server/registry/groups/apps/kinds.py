"""Registration of the apps group's kinds."""

from server.registry.groups.apps.controller_revision import ControllerRevisions
from server.registry.groups.apps.daemon_set import DaemonSets
from server.registry.groups.apps.deployment import Deployments
from server.registry.groups.apps.replica_set import ReplicaSets
from server.registry.groups.apps.stateful_set import StatefulSets
from server.registry.groups.subresources import scale_and_status, status
from server.registry.kind import Kind

_GROUP, _ALL = "apps", ("all",)

KINDS = (
    Kind(_GROUP, "ControllerRevision", "controllerrevisions", ControllerRevisions()),
    Kind(
        _GROUP,
        "DaemonSet",
        "daemonsets",
        DaemonSets(),
        short_names=("ds",),
        categories=_ALL,
        subresources=status("DaemonSet"),
    ),
    Kind(
        _GROUP,
        "Deployment",
        "deployments",
        Deployments(),
        short_names=("deploy",),
        categories=_ALL,
        subresources=scale_and_status("Deployment"),
    ),
    Kind(
        _GROUP,
        "ReplicaSet",
        "replicasets",
        ReplicaSets(),
        short_names=("rs",),
        categories=_ALL,
        subresources=scale_and_status("ReplicaSet"),
    ),
    Kind(
        _GROUP,
        "StatefulSet",
        "statefulsets",
        StatefulSets(),
        short_names=("sts",),
        categories=_ALL,
        subresources=scale_and_status("StatefulSet"),
    ),
)
