"""Where a Service's port is to be reached from the server itself: an endpoint, or its external name."""

import random
from collections.abc import Iterable

from kubeling.objects.meta import Object
from server.storage import Store
from server.webhooks.errors import WebhookError

_SERVICES, _SLICES = "services", "endpointslices.discovery.k8s.io"
_SERVICE_NAME = "kubernetes.io/service-name"


class ServiceEndpoints:
    """Callable as `server.webhooks.client.Resolve`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __call__(self, namespace: str, name: str, port: int) -> tuple[str, int]:
        record = self._store.get(_SERVICES, namespace, name)
        if record is None:
            raise WebhookError(f'service "{name}" not found')
        spec = record.obj.get("spec") or {}
        if spec.get("type") == "ExternalName":
            return str(spec.get("externalName", "")), port
        wanted = next((each for each in spec.get("ports") or () if each.get("port") == port), None)
        if wanted is None:
            raise WebhookError(f'no service port {port} found for service "{name}"')
        found = list(_addresses(self._slices(namespace, name), wanted.get("name") or ""))
        if not found:
            raise WebhookError(f'no endpoints available for service "{name}"')
        return random.choice(found)

    def _slices(self, namespace: str, name: str) -> list[Object]:
        records = self._store.list(_SLICES, namespace)
        return [record.obj for record in records if record.labels.get(_SERVICE_NAME) == name]


def _addresses(slices: Iterable[Object], port: str) -> Iterable[tuple[str, int]]:
    for each in slices:
        number = next((p.get("port") for p in each.get("ports") or () if (p.get("name") or "") == port), None)
        if number is None:
            continue
        for endpoint in each.get("endpoints") or ():
            if (endpoint.get("conditions") or {}).get("ready") is not False:
                yield from ((address, number) for address in endpoint.get("addresses") or ())
