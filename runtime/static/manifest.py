"""A static pod from a manifest: its name, its uid, upstream's defaults, and what it may not refer to. Pure.

The uid is a hash of the manifest, the file and the node: the same file is the same pod after a restart of the
agent, a changed file is another pod.
"""

import hashlib
import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

from kubeling.objects.meta import Object, metadata
from runtime.pods.containers.kinds import INIT, MAIN, containers_of
from runtime.pods.identity import CONFIG_SOURCE

HASH, SEEN = "kubernetes.io/config.hash", "kubernetes.io/config.seen"

_SPEC = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "enableServiceLinks": True,
    "schedulerName": "default-scheduler",
    "securityContext": {},
}
_CONTAINER = {"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File"}
_VOLUMES = {
    "secret": "secrets",
    "configMap": "configmaps",
    "persistentVolumeClaim": "persistentvolumeclaims",
    "csi": "csidrivers",
}
_PROJECTIONS = {
    "secret": "secrets",
    "configMap": "configmaps",
    "serviceAccountToken": "serviceaccounts",
    "clusterTrustBundle": "clustertrustbundles",
    "podCertificate": "podcertificates",
}
_VARIABLES = {
    "secretRef": "secrets",
    "configMapRef": "configmaps",
    "secretKeyRef": "secrets",
    "configMapKeyRef": "configmaps",
}


class ManifestError(Exception):
    """This is no pod that a node can run by itself; the text says why."""


def static_pod(document: Any, *, file: str, node: str) -> Object:
    """The pod that the manifest asks for.

    Raises:
        ManifestError.
    """
    _check(document)
    pod: Object = deepcopy(document)
    found = pod.setdefault("metadata", {})
    found["uid"] = found.get("uid") or _hash(document, file, node)
    found["name"] = f"{found['name']}-{node.lower()}"
    found["namespace"] = found.get("namespace") or "default"
    notes = {HASH: found["uid"], CONFIG_SOURCE: "file"}
    found["annotations"] = {**(found.get("annotations") or {}), **notes}
    pod["spec"] = {**_SPEC, **pod["spec"], "nodeName": node}
    _tolerate(pod["spec"])
    for container in containers_of(pod, INIT, MAIN):
        _set_defaults(container)
    return {**pod, "status": {"phase": "Pending"}}


def _check(document: Any) -> None:
    if not isinstance(document, dict) or (document.get("apiVersion"), document.get("kind")) != ("v1", "Pod"):
        raise ManifestError("it is no Pod of v1")
    spec = document.get("spec")
    if not isinstance(spec, dict) or not spec.get("containers") or not metadata(document).get("name"):
        raise ManifestError("it needs a name and containers")
    if not all(isinstance(each, dict) and each.get("name") for each in containers_of(document)):
        raise ManifestError("each of its containers needs a name")
    if spec.get("ephemeralContainers"):
        raise ManifestError("static pods may not have ephemeral containers")
    referred = next(_references(document), "")
    if referred:
        raise ManifestError(f"static pods may not reference {referred}")


def _references(pod: Object) -> Iterator[str]:
    """The resources to which the pod refers, none of which a node may read for a pod of its own."""
    spec = pod["spec"]
    if spec.get("serviceAccountName") or spec.get("serviceAccount"):
        yield "serviceaccounts"
    if spec.get("resourceClaims"):
        yield "resourceclaims"
    if spec.get("imagePullSecrets"):
        yield "secrets"
    for volume in spec.get("volumes") or []:
        yield from (noun for field, noun in _VOLUMES.items() if volume.get(field))
        for source in (volume.get("projected") or {}).get("sources") or []:
            yield from (noun for field, noun in _PROJECTIONS.items() if source.get(field))
    for container in containers_of(pod):
        sources = [each.get("valueFrom") or {} for each in container.get("env") or []]
        for source in [*(container.get("envFrom") or []), *sources]:
            yield from (noun for field, noun in _VARIABLES.items() if source.get(field))


def _hash(document: Object, file: str, node: str) -> str:
    text = json.dumps([document, file, node], sort_keys=True, default=str)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _tolerate(spec: Object) -> None:
    """Static pods stay whatever is wrong with the node."""
    everything = {"operator": "Exists", "effect": "NoExecute"}
    given = spec.get("tolerations") or []
    spec["tolerations"] = given if everything in given else [*given, everything]


def _set_defaults(container: Object) -> None:
    for key, value in _CONTAINER.items():
        container.setdefault(key, value)
    name, tag = str(container.get("image", "")).rpartition("/")[2], ""
    if "@" not in name:
        tag = name.partition(":")[2] or "latest"
    container.setdefault("imagePullPolicy", "Always" if tag == "latest" else "IfNotPresent")
    for port in container.get("ports") or []:
        port.setdefault("protocol", "TCP")
