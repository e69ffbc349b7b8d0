"""An APIService for each group and version that CustomResourceDefinitions serve, gone with the last of them.

The key is the APIService's name, VERSION.GROUP. Those of built-in groups are made when the server starts.
"""

from contextlib import suppress

from kubeling.client import DONE, ControllerRunner, Informer, Result
from kubeling.client.resources import Resource
from kubeling.objects import conditions, meta
from kubeling.objects.errors import AlreadyExists, NotFound
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller

DEFINITIONS = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
API_SERVICES = Resource("apiregistration.k8s.io", "v1", "apiservices", "APIService", namespaced=False)
_LABEL = "kube-aggregator.kubernetes.io/automanaged"
_GROUP_PRIORITY, _VERSION_PRIORITY = 1000, 100


def make(context: Context) -> Controller:
    registration = _Registration(context)
    runner = ControllerRunner("autoregister-controller", registration.reconcile, clock=context.clock)
    runner.reads(registration.definitions)
    runner.watches(registration.services, lambda found: meta.name(found) if _is_ours(found) else None)

    def changed(kind: str, definition: Object, old: Object | None) -> None:
        for each in filter(None, (definition, old)):
            for name in _names(each):
                runner.queue.add(name)

    registration.definitions.add_handler(changed)
    return runner


class _Registration:
    def __init__(self, context: Context) -> None:
        self.definitions: Informer = context.client.informer(DEFINITIONS)
        self.services: Informer = context.client.informer(API_SERVICES)
        self._client = context.client

    async def reconcile(self, name: str) -> Result:
        found = self.services.get("", name)
        served = any(name in _names(each) for each in self.definitions.list() if _is_served(each))
        if served and found is None:
            with suppress(AlreadyExists):
                await self._client.create(API_SERVICES, _api_service(name))
        elif not served and found is not None and _is_ours(found):
            with suppress(NotFound):
                await self._client.delete(API_SERVICES, name)
        return DONE


def _is_ours(found: Object) -> bool:
    return meta.labels(found).get(_LABEL) == "true"


def _is_served(definition: Object) -> bool:
    return conditions.is_true(definition, "Established") and not meta.is_terminating(definition)


def _names(definition: Object) -> list[str]:
    spec = definition.get("spec") or {}
    served = [each["name"] for each in spec.get("versions") or () if each.get("served")]
    return [f"{version}.{spec.get('group')}" for version in served]


def _api_service(name: str) -> Object:
    version, _, group = name.partition(".")
    return {
        "apiVersion": API_SERVICES.api_version,
        "kind": "APIService",
        "metadata": {"name": name, "labels": {_LABEL: "true"}},
        "spec": {
            "group": group,
            "version": version,
            "groupPriorityMinimum": _GROUP_PRIORITY,
            "versionPriority": _VERSION_PRIORITY,
        },
    }
