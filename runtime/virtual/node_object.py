"""The Node object of a virtual node: what it offers, its labels, its conditions. Pure."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from kubeling.objects import conditions
from kubeling.objects.meta import Object, timestamp
from kubeling.version import KUBERNETES_VERSION, VERSION
from runtime.node.node_object import unfollowed

LABEL = "kubeling.dev/virtual"
"""On every virtual node: "true". A Node that somebody makes with it becomes one."""

_CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)


@dataclass(frozen=True, slots=True)
class NodeShape:
    """What virtual nodes are like where nobody says otherwise."""

    address: str
    port: int
    """Of the kubelet API that answers for all of them."""
    cpu: str = "32"
    memory: str = "256Gi"
    storage: str = "1Ti"
    pods: int = 110

    @property
    def capacity(self) -> dict[str, str]:
        return {
            "cpu": self.cpu,
            "memory": self.memory,
            "ephemeral-storage": self.storage,
            "pods": str(self.pods),
        }


def new_node(name: str, shape: NodeShape, now: datetime) -> Object:
    """Ready from the beginning: one write makes it."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": node_labels(name)},
        "spec": {"providerID": f"kubeling-virtual://{name}"},
        "status": node_status({"metadata": {"name": name}}, shape, now),
    }


def node_labels(name: str) -> dict[str, str]:
    return {
        "beta.kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        LABEL: "true",
    }


def node_status(node: Object, shape: NodeShape, now: datetime) -> Object:
    """What a node reports; what it offers already, be it by whoever made it, stays."""
    name, present = node["metadata"]["name"], node.get("status") or {}
    capacity = {**shape.capacity, **(present.get("capacity") or {})}
    return {
        "capacity": capacity,
        "allocatable": {**capacity, **(present.get("allocatable") or {}), **unfollowed(node)},
        "addresses": [
            {"type": "InternalIP", "address": shape.address},
            {"type": "Hostname", "address": name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": shape.port}},
        "nodeInfo": _node_info(name),
        "conditions": _conditions(present.get("conditions") or [], now),
    }


def is_virtual(node: Object) -> bool:
    return ((node.get("metadata") or {}).get("labels") or {}).get(LABEL) == "true"


def _node_info(name: str) -> Object:
    """Identities that stay the same from one start to the next."""
    machine = hashlib.sha256(name.encode()).hexdigest()[:32]
    return {
        "architecture": "amd64",
        "bootID": machine,
        "containerRuntimeVersion": f"kubeling-virtual://{VERSION}",
        "kernelVersion": "virtual",
        "kubeProxyVersion": "",
        "kubeletVersion": KUBERNETES_VERSION,
        "machineID": machine,
        "operatingSystem": "linux",
        "osImage": "kubeling virtual node",
        "systemUUID": machine,
    }


def _conditions(present: list[Object], now: datetime) -> list[Object]:
    holder: Object = {"status": {"conditions": [dict(each) for each in present]}}
    kinds = {kind for kind, _, _, _ in _CONDITIONS}
    for kind, status, reason, message in _CONDITIONS:
        conditions.set_condition(holder, kind, status, reason=reason, message=message, now=now)
    return [
        {**each, "lastHeartbeatTime": timestamp(now)}
        for each in holder["status"]["conditions"]
        if each["type"] in kinds
    ]
