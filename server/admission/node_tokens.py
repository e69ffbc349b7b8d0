"""Which service account tokens a node may ask for: those that a pod of its own or its drivers mount."""

from collections.abc import Callable, Iterator
from typing import Any

from kubeling.objects.meta import Object
from server.admission.chain import Objects

_MIGRATED = {
    "awsElasticBlockStore": "ebs.csi.aws.com",
    "azureDisk": "disk.csi.azure.com",
    "azureFile": "file.csi.azure.com",
    "cinder": "cinder.csi.openstack.org",
    "gcePersistentDisk": "pd.csi.storage.gke.io",
    "portworxVolume": "pxd.portworx.com",
    "vsphereVolume": "csi.vsphere.vmware.com",
}
"""Which drivers do the work of volume types that had code of their own once."""


def token_problem(
    request: Object,
    node: str,
    find_pod: Callable[[str], Object],
    *,
    objects: Objects,
    granted: Callable[[str], bool],
) -> str:
    """What is wrong with a TokenRequest of a node, "" when nothing is.

    `granted` says whether the node has been given the right to ask for an audience.
    """
    spec = request.get("spec") or {}
    bound = spec.get("boundObjectRef") or {}
    if (bound.get("apiVersion"), bound.get("kind")) != ("v1", "Pod") or not bound.get("name"):
        return "node requested token not bound to a pod"
    if not bound.get("uid"):
        return "node requested token with a pod binding without a uid"
    pod = find_pod(bound["name"])
    if pod["metadata"].get("uid") != bound["uid"]:
        return (
            f"the UID in the bound object reference ({bound['uid']}) does not match the UID in record."
            " The object might have been deleted and then recreated"
        )
    if (pod.get("spec") or {}).get("nodeName") != node:
        return "node requested token bound to a pod scheduled on a different node"
    audiences = spec.get("audiences") or [""]
    if len(audiences) > 1:
        return "node may only request 0 or 1 audiences"
    audience = audiences[0]
    try:
        if audience in _audiences(pod, objects) or granted(audience):
            return ""
    except _Missing as missing:
        return f'error validating audience "{audience}": {missing}'
    not_granted = f"system:node:{node} is not authorized to request tokens for this audience"
    return f'audience "{audience}" not found in pod spec volume, {not_granted}'


class _Missing(LookupError):
    """An object on the way from a volume to its driver does not exist; the text says which."""


def _audiences(pod: Object, objects: Objects) -> Iterator[str]:
    """Those of the tokens that the pod mounts, then those of the drivers of its volumes."""
    volumes = (pod.get("spec") or {}).get("volumes") or ()
    for volume in volumes:
        for source in (volume.get("projected") or {}).get("sources") or ():
            if source.get("serviceAccountToken") is not None:
                yield source["serviceAccountToken"].get("audience") or ""
    for volume in volumes:
        driver = _driver(volume) or _claimed_driver(pod, volume, objects)
        if driver:
            found = _spec(objects, "csidriver.storage.k8s.io", "", driver)
            yield from (each.get("audience") or "" for each in found.get("tokenRequests") or ())


def _driver(source: Any) -> str:
    """Of a pod's volume or a PersistentVolume: the driver that is named or stands in for the type."""
    named = str((source.get("csi") or {}).get("driver") or "")
    return named or next((driver for kind, driver in _MIGRATED.items() if source.get(kind) is not None), "")


def _claimed_driver(pod: Object, volume: Any, objects: Objects) -> str:
    """The driver of the PersistentVolume behind a pod's claim, or ""."""
    claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
    if volume.get("ephemeral") is not None:
        claim = f"{pod['metadata']['name']}-{volume.get('name')}"
    if not claim:
        return ""
    namespace = pod["metadata"].get("namespace", "")
    bound = _spec(objects, "persistentvolumeclaim", namespace, claim).get("volumeName") or ""
    return _driver(_spec(objects, "persistentvolume", "", bound))


def _spec(objects: Objects, kind: str, namespace: str, name: str) -> Object:
    """Raises _Missing."""
    singular, _, group = kind.partition(".")
    record = objects.get(f"{singular}s.{group}".rstrip("."), namespace, name)
    if record is None:
        raise _Missing(f'{kind} "{name}" not found')
    found: Object = record.obj.get("spec") or {}
    return found
