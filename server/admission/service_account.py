"""ServiceAccount: every pod runs as one, `default` unless it names another, and that one must exist.

Mounting the account's token is not done yet: nobody issues tokens.
"""

from typing import Any

from kubeling.objects.errors import forbidden
from kubeling.objects.meta import Object
from server.admission.chain import Objects, Plugin, is_new_pod
from server.registry.admission import Attributes

DEFAULT = "default"
MIRROR = "kubernetes.io/config.mirror"


class ServiceAccount(Plugin):
    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def mutate(self, attributes: Attributes) -> None:
        """Name the account, and take its image pull secrets.

        Raises:
            Forbidden: there is no such account.
        """
        pod = attributes.obj
        if pod is None or not is_new_pod(attributes) or _is_mirror(pod):
            return
        spec: dict[str, Any] = pod["spec"]
        name = spec.get("serviceAccountName") or DEFAULT
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        account = self._account(attributes, name)
        secrets = account.get("imagePullSecrets")
        if secrets and not spec.get("imagePullSecrets"):
            spec["imagePullSecrets"] = [dict(secret) for secret in secrets]

    def _account(self, attributes: Attributes, name: str) -> Object:
        record = self._objects.get("serviceaccounts", attributes.namespace, name)
        if record is None:
            missing = f'serviceaccount "{name}" not found'
            why = f"error looking up service account {attributes.namespace}/{name}: {missing}"
            raise forbidden(attributes.kind.resource, attributes.name, why)
        return record.obj


def _is_mirror(pod: Object) -> bool:
    return MIRROR in (pod["metadata"].get("annotations") or {})
