"""The claims that a pod uses, and what they and their volumes say; plain facts, no decisions."""

from dataclasses import dataclass, field

from kubeling.objects import meta
from kubeling.objects.meta import Object
from kubeling.objects.node_selection import any_of
from kubeling.objects.volume_claims import BIND_COMPLETED, class_of
from server.scheduler.framework import Lister
from server.scheduler.node_state import NodeState
from server.scheduler.pod_info import PodInfo


@dataclass(slots=True)
class Claims:
    bound: list[Object] = field(default_factory=list)
    immediate: list[Object] = field(default_factory=list)
    """Not bound, though nothing has to be waited for."""
    waiting: list[Object] = field(default_factory=list)
    """To be bound when their pod's node is known."""


def problem(pod: PodInfo, claims: Lister) -> str:
    """Why the pod cannot run anywhere because of its claims; empty when it may."""
    for name, ephemeral in pod.claims:
        claim = claims.get(pod.namespace, name)
        if claim is None:
            if ephemeral:
                return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"'
            return f'persistentvolumeclaim "{name}" not found'
        if (claim.get("status") or {}).get("phase") == "Lost":
            volume = claim["spec"].get("volumeName") or ""
            return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume}"'
        if meta.is_terminating(claim):
            return f'persistentvolumeclaim "{name}" is being deleted'
        owner = meta.controller_of(claim)
        if ephemeral and (owner is None or owner.get("uid") != pod.uid):
            return f"PVC {meta.key(claim)} was not created for pod {pod.key} (pod is not owner)"
    return ""


def sorted_claims(pod: PodInfo, claims: Lister, classes: Lister) -> Claims:
    found = Claims()
    for name, _ in pod.claims:
        claim = claims.get(pod.namespace, name)
        if claim is None:
            continue
        if is_bound(claim):
            found.bound.append(claim)
        elif waits_for_consumer(claim, classes) and not claim["spec"].get("volumeName"):
            found.waiting.append(claim)
        else:
            found.immediate.append(claim)
    return found


def is_bound(claim: Object) -> bool:
    """Completely: with the volume's side of it done, too."""
    return bool(claim["spec"].get("volumeName")) and BIND_COMPLETED in meta.annotations(claim)


def waits_for_consumer(claim: Object, classes: Lister) -> bool:
    found = classes.get("", class_of(claim))
    return found is not None and found.get("volumeBindingMode") == "WaitForFirstConsumer"


def is_reachable(volume: Object, node: NodeState) -> bool:
    """Whether the volume's node affinity lets it be used on the node."""
    affinity = (volume["spec"].get("nodeAffinity") or {}).get("required")
    return affinity is None or any_of(affinity)(node.labels, node.name)


def uses_claim(pod: PodInfo, claim: Object) -> bool:
    return pod.namespace == meta.namespace(claim) and any(name == meta.name(claim) for name, _ in pod.claims)
