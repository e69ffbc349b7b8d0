"""The Node object: its labels, capacity, addresses, versions and conditions. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from cri_api.v1 import api_pb2 as cri

from kubeling.objects import conditions
from kubeling.objects.meta import Object, timestamp
from kubeling.version import KUBERNETES_VERSION
from runtime.kubelet_configuration import KubeletConfiguration
from runtime.node.allocatable import allocatable, capacity
from runtime.node.machine import Machine
from runtime.pods.abilities import RuntimeFeatures

MOST_IMAGES = 50
MOST_NAMES = 5
"""Of each image, in the status."""

_SUFFICIENT = {
    "MemoryPressure": ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    "DiskPressure": ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    "PIDPressure": ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
}
_INSUFFICIENT = {
    "MemoryPressure": ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
    "DiskPressure": ("KubeletHasDiskPressure", "kubelet has disk pressure"),
    "PIDPressure": ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
}

DECLARED_FEATURES = (
    "GuaranteedQoSPodCPUResize",
    "InPlacePodLevelResourcesVerticalScaling",
    "InPlacePodVerticalScalingInitContainers",
    "RestartAllContainersOnContainerExits",
)
"""What schedulers send only to nodes that say that they can it."""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What the Node object is made from."""

    name: str
    address: str
    port: int
    """The kubelet API's."""
    machine: Machine
    runtime_version: str = ""
    """As `containerd://1.6.20`."""
    problem: str = "container runtime status check may not have completed yet"
    """Why the node is not ready, "" when it is."""
    images: tuple[tuple[tuple[str, ...], int], ...] = field(default=())
    """Names and sizes (bytes) of the images that are here."""
    kubelet: KubeletConfiguration = field(default_factory=KubeletConfiguration)
    pressures: frozenset[str] = frozenset()
    """The conditions of pressure that the node is under."""
    features: RuntimeFeatures = field(default=RuntimeFeatures())
    """What the runtime says that it can."""


def node_labels(facts: NodeFacts) -> dict[str, str]:
    architecture = facts.machine.architecture
    return {
        "beta.kubernetes.io/arch": architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": architecture,
        "kubernetes.io/hostname": facts.name,
        "kubernetes.io/os": "linux",
    }


def new_node(facts: NodeFacts, now: datetime) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": facts.name,
            "labels": node_labels(facts),
            "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
        },
        "spec": _spec(facts.kubelet),
        "status": node_status(facts, [], now),
    }


def _spec(kubelet: KubeletConfiguration) -> Object:
    """What only a node's creation can say."""
    spec: Object = {"providerID": kubelet.provider_id} if kubelet.provider_id else {}
    if kubelet.register_with_taints:
        spec["taints"] = [dict(each) for each in kubelet.register_with_taints]
    return spec


def node_status(
    facts: NodeFacts,
    present: Iterable[Object],
    now: datetime,
    extended: Mapping[str, str | None] | None = None,
) -> Object:
    """`present` are the conditions that the API has now, `extended` are the resources that others added."""
    return {
        "capacity": capacity(facts.machine, facts.kubelet),
        "allocatable": {**allocatable(facts.machine, facts.kubelet), **(extended or {})},
        "addresses": [
            {"type": "InternalIP", "address": facts.address},
            {"type": "Hostname", "address": facts.name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": facts.port}},
        "nodeInfo": _node_info(facts),
        "conditions": _conditions(facts, present, now),
        "images": [{"names": list(names), "sizeBytes": size} for names, size in facts.images],
        "declaredFeatures": list(DECLARED_FEATURES),
        **_features(facts.features),
    }


def _features(features: RuntimeFeatures) -> Object:
    """Nothing where the runtime does not tell what it can."""
    found: Object = {}
    if features.handlers:
        found["runtimeHandlers"] = [
            {
                "name": name,
                "features": {
                    "recursiveReadOnlyMounts": each.recursive_read_only,
                    "userNamespaces": each.user_namespaces,
                },
            }
            for name, each in features.handlers
        ]
    if features.supplemental_groups_policy is not None:
        found["features"] = {"supplementalGroupsPolicy": features.supplemental_groups_policy}
    return found


def unfollowed(node: Object) -> dict[str, str | None]:
    """Extended resources that others have put into the node's capacity, or (None) taken out of it, and that
    it does not offer in that amount yet.
    """
    status = node.get("status") or {}
    there, offered = status.get("capacity") or {}, status.get("allocatable") or {}
    return {
        name: there.get(name)
        for name in {**there, **offered}
        if "/" in name and there.get(name) != offered.get(name)
    }


def _node_info(facts: NodeFacts) -> Object:
    machine = facts.machine
    return {
        "architecture": machine.architecture,
        "bootID": machine.boot_id,
        "containerRuntimeVersion": facts.runtime_version,
        "kernelVersion": machine.kernel,
        "kubeProxyVersion": "",
        "kubeletVersion": KUBERNETES_VERSION,
        "machineID": machine.machine_id,
        "operatingSystem": "linux",
        "osImage": machine.os_image,
        "systemUUID": machine.system_uuid,
        "swap": {"capacity": machine.swap},
    }


def pressure_state(kind: str, pressures: frozenset[str]) -> tuple[str, str]:
    """Reason and message of a condition of pressure."""
    return (_INSUFFICIENT if kind in pressures else _SUFFICIENT)[kind]


def _conditions(facts: NodeFacts, present: Iterable[Object], now: datetime) -> list[Object]:
    holder: Object = {"status": {"conditions": [dict(each) for each in present]}}
    for kind in _SUFFICIENT:
        state = "True" if kind in facts.pressures else "False"
        reason, message = pressure_state(kind, facts.pressures)
        conditions.set_condition(holder, kind, state, reason=reason, message=message, now=now)
    if facts.problem:
        conditions.set_condition(
            holder, "Ready", "False", reason="KubeletNotReady", message=facts.problem, now=now
        )
    else:
        conditions.set_condition(
            holder, "Ready", "True", reason="KubeletReady", message="kubelet is posting ready status", now=now
        )
    own = [*_SUFFICIENT, "Ready"]
    made = [each for each in holder["status"]["conditions"] if each["type"] in own]
    return [{**each, "lastHeartbeatTime": timestamp(now)} for each in made]


def runtime_problem(status: cri.RuntimeStatus) -> str:
    """Why the runtime cannot run pods, in the kubelet's words; "" when it can."""
    problems = []
    for condition in status.conditions:
        if condition.status:
            continue
        what = {"RuntimeReady": "container runtime", "NetworkReady": "container runtime network"}
        if condition.type in what:
            problems.append(
                f"{what[condition.type]} not ready: {condition.type}=false "
                f"reason:{condition.reason} message:{condition.message}"
            )
    return f"[{', '.join(problems)}]" if len(problems) > 1 else "".join(problems)


def image_list(
    images: Iterable[cri.Image], most: int = MOST_IMAGES
) -> tuple[tuple[tuple[str, ...], int], ...]:
    """The largest images with their digests and tags, as Node.status.images shows them; -1 for all."""
    listed = [((*each.repo_digests, *each.repo_tags)[:MOST_NAMES], each.size) for each in images]
    named = [(names, size) for names, size in listed if names]
    return tuple(sorted(named, key=lambda each: (-each[1], each[0]))[: most if most >= 0 else None])
