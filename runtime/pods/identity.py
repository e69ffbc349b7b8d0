"""The labels and annotations by which sandboxes and containers are known again in the runtime.

They are the kubelet's, so that crictl and log collectors find what they expect, and they are all the state
that the agent keeps about running containers: after a restart everything is read back from them.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import NamedTuple

from kubeling.objects.meta import Object, annotations, labels, name, namespace, uid

POD_NAME = "io.kubernetes.pod.name"
POD_NAMESPACE = "io.kubernetes.pod.namespace"
POD_UID = "io.kubernetes.pod.uid"
CONTAINER_NAME = "io.kubernetes.container.name"

HASH = "io.kubernetes.container.hash"
RESTART_COUNT = "io.kubernetes.container.restartCount"
TERMINATION_MESSAGE_PATH = "io.kubernetes.container.terminationMessagePath"
TERMINATION_MESSAGE_POLICY = "io.kubernetes.container.terminationMessagePolicy"
POD_TERMINATION_GRACE = "io.kubernetes.pod.terminationGracePeriod"
PRE_STOP_HANDLER = "io.kubernetes.container.preStopHandler"
CONTAINER_PORTS = "io.kubernetes.container.ports"
CONFIG_SOURCE = "kubernetes.io/config.source"
MIRROR = "kubernetes.io/config.mirror"


class PodIdentity(NamedTuple):
    """Which pod a sandbox or container belongs to."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        """The form that the kubelet's messages use."""
        return f"{self.name}_{self.namespace}({self.uid})"


def of_pod(pod: Object) -> PodIdentity:
    return PodIdentity(namespace(pod), name(pod), uid(pod))


def is_static(pod: Object) -> bool:
    """Whether the pod comes from a file of the node's and not from the API."""
    return bool(annotations(pod).get(CONFIG_SOURCE, "api") != "api") and not is_mirror(pod)


def is_mirror(pod: Object) -> bool:
    """Whether the API has it only to show a static pod."""
    return MIRROR in annotations(pod)


def of_labels(from_labels: Mapping[str, str]) -> PodIdentity | None:
    """The pod that the labels name, or None where they are not a pod's."""
    if not from_labels.get(POD_UID):
        return None
    return PodIdentity(
        from_labels.get(POD_NAMESPACE, ""), from_labels.get(POD_NAME, ""), from_labels[POD_UID]
    )


def identity_labels(pod: Object) -> dict[str, str]:
    return {POD_NAME: name(pod), POD_NAMESPACE: namespace(pod), POD_UID: uid(pod)}


def sandbox_labels(pod: Object) -> dict[str, str]:
    return {**labels(pod), **identity_labels(pod)}


def sandbox_annotations(pod: Object) -> dict[str, str]:
    return {CONFIG_SOURCE: "api", **annotations(pod)}


def container_labels(pod: Object, container: Object) -> dict[str, str]:
    return {**identity_labels(pod), CONTAINER_NAME: container["name"]}


def container_annotations(pod: Object, container: Object, *, restart_count: int) -> dict[str, str]:
    found = {
        HASH: container_hash(container),
        RESTART_COUNT: str(restart_count),
        TERMINATION_MESSAGE_PATH: container.get("terminationMessagePath") or "/dev/termination-log",
        TERMINATION_MESSAGE_POLICY: container.get("terminationMessagePolicy") or "File",
    }
    grace = (pod.get("spec") or {}).get("terminationGracePeriodSeconds")
    if grace is not None:
        found[POD_TERMINATION_GRACE] = str(grace)
    pre_stop = (container.get("lifecycle") or {}).get("preStop")
    if pre_stop:
        found[PRE_STOP_HANDLER] = json.dumps(pre_stop, separators=(",", ":"))
    if container.get("ports"):
        found[CONTAINER_PORTS] = json.dumps(container["ports"], separators=(",", ":"))
    return found


def container_hash(container: Object) -> str:
    """Changes when a running container must be replaced: when its image was changed."""
    text = json.dumps({"name": container["name"], "image": container.get("image", "")})
    return hashlib.sha256(text.encode()).hexdigest()[:8]
