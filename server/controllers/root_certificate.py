"""The ConfigMap `kube-root-ca.crt` in every namespace, put right when changed. The key is the namespace."""

from contextlib import suppress

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.resources import CONFIGMAPS, NAMESPACES
from kubeling.objects import meta
from kubeling.objects.errors import AlreadyExists
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller

NAME = "kube-root-ca.crt"
DESCRIPTION = {
    "kubernetes.io/description": (
        "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints"
        " such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across"
        " distributions of Kubernetes clusters."
    )
}


def make(context: Context) -> Controller:
    namespaces = context.client.informer(NAMESPACES)
    maps = context.client.informer(CONFIGMAPS)
    data = {"ca.crt": context.settings.certificate_authority}

    async def reconcile(namespace: str) -> Result:
        space = namespaces.get("", namespace)
        if space is None or meta.is_terminating(space):
            return DONE
        found = maps.get(namespace, NAME)
        if found is None:
            await _create(context, namespace, data)
        elif not _right(found, data):
            annotations = {**meta.annotations(found), **DESCRIPTION}
            fresh = {**found, "metadata": {**found["metadata"], "annotations": annotations}, "data": data}
            fresh.pop("binaryData", None)
            await context.client.update(CONFIGMAPS, fresh)
        return DONE

    runner = ControllerRunner("root-ca-certificate-publisher-controller", reconcile, clock=context.clock)
    runner.watches(namespaces, meta.name)
    runner.watches(maps, lambda found: meta.namespace(found) if meta.name(found) == NAME else None)
    return runner


def _right(found: Object, data: dict[str, str]) -> bool:
    annotations = meta.annotations(found)
    described = all(annotations.get(name) == text for name, text in DESCRIPTION.items())
    return described and found.get("data") == data and not found.get("binaryData")


async def _create(context: Context, namespace: str, data: dict[str, str]) -> None:
    metadata = {"name": NAME, "namespace": namespace, "annotations": DESCRIPTION}
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
    with suppress(AlreadyExists):  # the informer is behind: it will show the map, and that brings us back
        await context.client.create(CONFIGMAPS, made)
