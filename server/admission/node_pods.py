"""What a node may write about pods: mirror pods of its own, that refer to nothing, and status."""

from collections.abc import Callable
from typing import Any

from kubeling.objects.meta import Object
from server.auth.pod_references import MIRROR, references
from server.registry.admission import Attributes

_NOT_REFERRED = ("secrets", "configmaps", "persistentvolumeclaims")


def creation_problem(pod: Object, node: str, own_node: Callable[[], Object]) -> str:
    """What is wrong with a pod that a node creates, "" when nothing is; `own_node` finds its Node."""
    metadata, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    if MIRROR not in (metadata.get("annotations") or {}):
        return f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods'
    if spec.get("nodeName") != node:
        return f'node "{node}" can only create pods with spec.nodeName set to itself'
    return _owner_problem(metadata.get("ownerReferences") or [], node, own_node) or _reference_problem(
        pod, node
    )


def _owner_problem(owners: list[Any], node: str, own_node: Callable[[], Object]) -> str:
    only = f'node "{node}" can only create pods with'
    if len(owners) > 1:
        return f"{only} a single owner reference set to itself"
    if not owners or [owners[0].get(key) for key in ("apiVersion", "kind", "name")] != ["v1", "Node", node]:
        return f"{only} an owner reference set to itself"
    owner = owners[0]
    if not owner.get("controller"):
        return f"{only} a controller owner reference set to itself"
    if owner.get("blockOwnerDeletion"):
        return f'node "{node}" must not set blockOwnerDeletion on an owner reference'
    uid = own_node()["metadata"]["uid"]
    return (
        "" if owner.get("uid") == uid else f"node {node} UID mismatch: expected {owner.get('uid')} got {uid}"
    )


def _reference_problem(pod: Object, node: str) -> str:
    cannot = f'node "{node}" can not create pods that reference'
    unmarked = {**pod, "metadata": {**pod["metadata"], "annotations": {}}}
    referred = {each.resource for each in references(unmarked)}
    if "serviceaccounts" in referred:
        return f"{cannot} a service account"
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        sources = (volume.get("projected") or {}).get("sources") or ()
        if any(source.get("clusterTrustBundle") is not None for source in sources):
            referred.add("clustertrustbundles")
    for resource in (*_NOT_REFERRED, "clustertrustbundles"):
        if resource in referred:
            return f"{cannot} {resource}"
    return ""


def status_problem(attributes: Attributes, node: str) -> str:
    """What is wrong with an update of a pod's status by a node, "" when nothing is."""
    if attributes.operation != "UPDATE":
        return f'unexpected operation "{attributes.operation}"'
    obj, old = attributes.obj or {}, attributes.old or {}
    if (old.get("spec") or {}).get("nodeName") != node:
        return f'node "{node}" can only update pod status for pods with spec.nodeName set to itself'
    if (obj["metadata"].get("labels") or {}) != (old["metadata"].get("labels") or {}):
        return f'node "{node}" cannot update labels through pod status'
    if _claims(obj) != _claims(old):
        return f'node "{node}" cannot update resource claim statues'
    return ""


def _claims(pod: Object) -> list[tuple[Any, Any]]:
    claims = (pod.get("status") or {}).get("resourceClaimStatuses") or ()
    return [(each.get("name"), each.get("resourceClaimName")) for each in claims]
