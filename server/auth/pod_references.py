"""Which objects a pod's node must read for it: secrets, config maps, claims, its service account."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from kubeling.objects.meta import Object

MIRROR = "kubernetes.io/config.mirror"
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_SECRET_REFERENCES = ("cephfs", "cinder", "flexVolume", "rbd", "scaleIO", "iscsi", "storageos")
_CSI_SECRETS = (
    "controllerExpandSecretRef",
    "controllerPublishSecretRef",
    "nodeExpandSecretRef",
    "nodePublishSecretRef",
    "nodeStageSecretRef",
)


class Reference(NamedTuple):
    """An object in the pod's namespace, by the plural of its kind."""

    resource: str
    name: str


def references(pod: Object) -> Iterator[Reference]:
    """All that the pod refers to; a mirror pod, which its node has made itself, refers to nothing."""
    if MIRROR in ((pod.get("metadata") or {}).get("annotations") or {}):
        return
    spec = pod.get("spec") or {}
    if spec.get("serviceAccountName"):
        yield Reference("serviceaccounts", spec["serviceAccountName"])
    for secret in spec.get("imagePullSecrets") or ():
        yield Reference("secrets", secret.get("name", ""))
    for key in _CONTAINERS:
        for container in spec.get(key) or ():
            yield from _of_container(container)
    for volume in spec.get("volumes") or ():
        yield from _of_volume(pod, volume)
    yield from _resource_claims(pod)


def _of_container(container: Mapping[str, Any]) -> Iterator[Reference]:
    for source in container.get("envFrom") or ():
        yield from _named("secrets", source.get("secretRef"))
        yield from _named("configmaps", source.get("configMapRef"))
    for variable in container.get("env") or ():
        source = variable.get("valueFrom") or {}
        yield from _named("secrets", source.get("secretKeyRef"))
        yield from _named("configmaps", source.get("configMapKeyRef"))


def _of_volume(pod: Object, volume: Mapping[str, Any]) -> Iterator[Reference]:
    yield from _named("secrets", volume.get("secret"), key="secretName")
    yield from _named("configmaps", volume.get("configMap"))
    yield from _named("persistentvolumeclaims", volume.get("persistentVolumeClaim"), key="claimName")
    if volume.get("ephemeral") is not None:
        name = f"{pod['metadata']['name']}-{volume.get('name')}"
        yield Reference("persistentvolumeclaims", name)
    for source in (volume.get("projected") or {}).get("sources") or ():
        yield from _named("secrets", source.get("secret"))
        yield from _named("configmaps", source.get("configMap"))
    yield from _named("secrets", (volume.get("csi") or {}).get("nodePublishSecretRef"))
    yield from _named("secrets", volume.get("azureFile"), key="secretName")
    for kind in _SECRET_REFERENCES:
        yield from _named("secrets", (volume.get(kind) or {}).get("secretRef"))


def _resource_claims(pod: Object) -> Iterator[Reference]:
    for claim in (pod.get("spec") or {}).get("resourceClaims") or ():
        yield from _named("resourceclaims", claim, key="resourceClaimName")
    status = pod.get("status") or {}
    for claim in status.get("resourceClaimStatuses") or ():
        yield from _named("resourceclaims", claim, key="resourceClaimName")
    yield from _named("resourceclaims", status.get("extendedResourceClaimStatus"), key="resourceClaimName")


def _named(resource: str, source: Mapping[str, Any] | None, key: str = "name") -> Iterator[Reference]:
    if source and source.get(key):
        yield Reference(resource, source[key])


def volume_secrets(volume: Object) -> Iterator[tuple[str, str]]:
    """Namespace (the claim's unless it is said) and name of the secrets that a PersistentVolume refers to."""
    spec = volume.get("spec") or {}
    claimed = (spec.get("claimRef") or {}).get("namespace", "")
    csi = spec.get("csi") or {}
    sources = [csi.get(key) for key in _CSI_SECRETS]
    sources += [(spec.get(kind) or {}).get("secretRef") for kind in _SECRET_REFERENCES]
    for source in sources:
        if source and source.get("name"):
            yield source.get("namespace") or claimed, source["name"]
    azure = spec.get("azureFile") or {}
    if azure.get("secretName"):
        yield azure.get("secretNamespace") or claimed, azure["secretName"]
