"""Which Secrets a pod refers to, and which of them its service account does not allow."""

from collections.abc import Iterator
from typing import NamedTuple

from kubeling.objects.meta import Object

_PHRASES = {"initContainers": "init container", "containers": "container"}
_IN_VOLUMES = {
    "azureFile": "secretName",
    "cephfs": "secretRef",
    "cinder": "secretRef",
    "csi": "nodePublishSecretRef",
    "flexVolume": "secretRef",
    "iscsi": "secretRef",
    "rbd": "secretRef",
    "scaleIO": "secretRef",
    "secret": "secretName",
    "storageos": "secretRef",
}
"""Where each type of volume names a Secret."""


class _Use(NamedTuple):
    """A container's use of a Secret; `how` says by which of its fields."""

    how: str
    secret: str


def refers_to_secrets(spec: Object) -> bool:
    """Whether the pod refers to any Secret at all."""
    if spec.get("imagePullSecrets") or any(map(_in_volume, spec.get("volumes") or ())):
        return True
    fields = ("initContainers", "containers", "ephemeralContainers")
    containers = (each for field in fields for each in spec.get(field) or ())
    return any(True for container in containers for _ in _uses(container))


def disallowed(account: Object, spec: Object) -> str:
    """Why the account does not allow the pod's Secrets; "" when it does."""
    name, mountable = _name(account), _mountable(account)
    for volume in spec.get("volumes") or ():
        secret = (volume.get("secret") or {}).get("secretName")
        if secret is not None and secret not in mountable:
            return f'volume with secret.secretName="{secret}" {_not_allowed(name)}'
    for field, phrase in _PHRASES.items():
        why = _disallowed_in(spec.get(field) or [], phrase, account)
        if why:
            return why
    pullable = {secret.get("name") for secret in account.get("imagePullSecrets") or ()}
    for position, secret in enumerate(spec.get("imagePullSecrets") or ()):
        if secret.get("name") not in pullable:
            what = f'imagePullSecrets[{position}].name="{secret.get("name", "")}"'
            return (
                f"{what} is not allowed because service account {name} does not reference that"
                " imagePullSecret"
            )
    return ""


def disallowed_in_ephemeral(account: Object, spec: Object) -> str:
    """The same, of the ephemeral containers only."""
    return _disallowed_in(spec.get("ephemeralContainers") or [], "ephemeral container", account)


def _disallowed_in(containers: list[Object], phrase: str, account: Object) -> str:
    mountable = _mountable(account)
    for container in containers:
        for use in _uses(container):
            if use.secret not in mountable:
                what = f'{use.how} referencing secret.secretName="{use.secret}"'
                return f"{phrase} {container['name']} with {what} {_not_allowed(_name(account))}"
    return ""


def _uses(container: Object) -> Iterator[_Use]:
    for variable in container.get("env") or ():
        key = (variable.get("valueFrom") or {}).get("secretKeyRef")
        if key is not None:
            yield _Use(f"envVar {variable['name']}", key.get("name", ""))
    for source in container.get("envFrom") or ():
        if source.get("secretRef") is not None:
            yield _Use("envFrom", source["secretRef"].get("name", ""))


def _in_volume(volume: Object) -> bool:
    if any(source.get("secret") for source in (volume.get("projected") or {}).get("sources") or ()):
        return True
    return any((volume.get(kind) or {}).get(field) for kind, field in _IN_VOLUMES.items())


def _mountable(account: Object) -> set[str]:
    return {secret.get("name", "") for secret in account.get("secrets") or ()}


def _name(account: Object) -> str:
    return str(account["metadata"]["name"])


def _not_allowed(account: str) -> str:
    return f"is not allowed because service account {account} does not reference that secret"
