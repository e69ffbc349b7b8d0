"""ServiceAccount: every pod runs as one, `default` unless it names another, and gets a token of it mounted.

An account that is annotated so limits its pods to the secrets that it lists (`secret_references`).
"""

import random
from collections.abc import Awaitable
from typing import Any

from kubeling.objects import meta
from kubeling.objects.clock import Clock, SystemClock
from kubeling.objects.errors import Forbidden, GroupResource, forbidden
from kubeling.objects.meta import Object
from server.admission.chain import Objects, Plugin, is_new_pod
from server.admission.secret_references import disallowed, disallowed_in_ephemeral, refers_to_secrets
from server.registry.admission import Attributes
from server.storage.record import Record

DEFAULT = "default"
MIRROR = "kubernetes.io/config.mirror"
LIMITS_SECRETS = "kubernetes.io/enforce-mountable-secrets"
VOLUME_PREFIX = "kube-api-access-"
MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_SECONDS = 3607
ATTEMPTS = 10
"""The account `default` is made by a controller, soon after its namespace: so often it is looked for."""
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_PODS = GroupResource("", "pods")


class ServiceAccount(Plugin):
    def __init__(self, objects: Objects, *, clock: Clock | None = None) -> None:
        self._objects = objects
        self._clock = clock or SystemClock()

    def mutate(self, attributes: Attributes) -> Awaitable[None] | None:
        """Name the account, mount its token, and take its image pull secrets.

        Raises:
            Forbidden: there is no such account.
        """
        pod = attributes.obj
        if pod is None or not is_new_pod(attributes) or _is_mirror(pod):
            return None
        spec: dict[str, Any] = pod["spec"]
        name = spec.get("serviceAccountName") or DEFAULT
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        record = self._look(attributes, name)
        if record is None:
            if name == DEFAULT:
                return self._mutate_later(attributes, spec)
            raise _missing(attributes, name)
        _use(record.obj, spec)
        return None

    async def _mutate_later(self, attributes: Attributes, spec: Object) -> None:
        pause = random.uniform(0.1, 0.2)
        for _ in range(1, ATTEMPTS):
            await self._clock.sleep(pause)
            record = self._look(attributes, DEFAULT)
            if record is not None:
                _use(record.obj, spec)
                return
        raise _missing(attributes, DEFAULT)

    def validate(self, attributes: Attributes) -> None:
        """
        Raises:
            Forbidden: a mirror pod refers to what it may not, or the account does not allow a secret.
        """
        pod = attributes.obj
        if pod is None or attributes.kind.resource != _PODS:
            return
        if attributes.operation == "CREATE" and not attributes.subresource:
            if _is_mirror(pod):
                _check_mirror(attributes, pod)
            else:
                self._check_secrets(attributes, pod)
        elif attributes.operation == "UPDATE" and attributes.subresource == "ephemeralcontainers":
            self._check_secrets(attributes, pod, ephemeral=True)

    def _check_secrets(self, attributes: Attributes, pod: Object, *, ephemeral: bool = False) -> None:
        name = pod["spec"].get("serviceAccountName")
        if not name:
            space, own = attributes.namespace, meta.name(pod)
            raise _refused(attributes, f"no service account specified for pod {space}/{own}")
        record = self._look(attributes, name)
        if record is None:
            raise _missing(attributes, name)
        if meta.annotations(record.obj).get(LIMITS_SECRETS) not in _TRUE:
            return
        why = (disallowed_in_ephemeral if ephemeral else disallowed)(record.obj, pod["spec"])
        if why:
            raise _refused(attributes, why)

    def _look(self, attributes: Attributes, name: str) -> Record | None:
        return self._objects.get("serviceaccounts", attributes.namespace, name)


def _refused(attributes: Attributes, why: str) -> Forbidden:
    return forbidden(attributes.kind.resource, attributes.shown_name, why)


def _missing(attributes: Attributes, name: str) -> Forbidden:
    where = f"{attributes.namespace}/{name}"
    return _refused(
        attributes, f'error looking up service account {where}: serviceaccount "{name}" not found'
    )


def _is_mirror(pod: Object) -> bool:
    return MIRROR in (pod["metadata"].get("annotations") or {})


def _check_mirror(attributes: Attributes, pod: Object) -> None:
    spec = pod["spec"]
    if spec.get("serviceAccountName"):
        raise _refused(attributes, "a mirror pod may not reference service accounts")
    if refers_to_secrets(spec):
        raise _refused(attributes, "a mirror pod may not reference secrets")
    for volume in spec.get("volumes") or ():
        for source in (volume.get("projected") or {}).get("sources") or ():
            if source.get("serviceAccountToken") is not None:
                why = "a mirror pod may not use ServiceAccountToken volume projections"
                raise _refused(attributes, why)


def _use(account: Object, spec: dict[str, Any]) -> None:
    if _wants_token(account, spec):
        _mount_token(spec)
    secrets = account.get("imagePullSecrets")
    if secrets and not spec.get("imagePullSecrets"):
        spec["imagePullSecrets"] = [{"name": secret.get("name", "")} for secret in secrets]


def _wants_token(account: Object, spec: Object) -> bool:
    """The pod's word counts before the account's."""
    for each in (spec, account):
        if each.get("automountServiceAccountToken") is not None:
            return bool(each["automountServiceAccountToken"])
    return True


def _mount_token(spec: dict[str, Any]) -> None:
    """Into every container that has nothing at the place yet."""
    volumes = spec.get("volumes") or []
    name = next((each["name"] for each in volumes if each["name"].startswith(VOLUME_PREFIX)), "")
    chosen = name or VOLUME_PREFIX + meta.random_suffix()
    needed = False
    for field in ("initContainers", "containers"):
        for container in spec.get(field) or ():
            mounts = container.get("volumeMounts") or []
            if all(mount.get("mountPath") != MOUNT_PATH for mount in mounts):
                mount = {"name": chosen, "readOnly": True, "mountPath": MOUNT_PATH}
                container["volumeMounts"] = [*mounts, mount]
                needed = True
    if needed and not name:
        spec["volumes"] = [*volumes, {"name": chosen, "projected": _token_volume()}]


def _token_volume() -> Object:
    """The token, the CA of the API server and the namespace: all that a client in the pod needs."""
    return {
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": TOKEN_SECONDS, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {
                "downwardAPI": {
                    "items": [
                        {
                            "path": "namespace",
                            "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
                        }
                    ]
                }
            },
        ],
        "defaultMode": 420,
    }
