"""An APIService for each group and version that custom resources are served in, as long as they are."""

from contextlib import suppress

from kubeling.objects.errors import AlreadyExists, NotFound
from kubeling.objects.meta import Object
from server.registry.context import SYSTEM, RequestContext
from server.registry.registry import Registry
from server.storage import Store

_GROUP = "apiregistration.k8s.io"
_LABEL = "kube-aggregator.kubernetes.io/automanaged"
_GROUP_PRIORITY, _VERSION_PRIORITY = 1000, 100


async def keep_api_services(registry: Registry, store: Store, group: str) -> None:
    """Make those of a group that are missing, and remove those that nothing is served for any more.

    Raises:
        ApiError: the registry refused.
    """
    kind = registry.kinds.lookup(_GROUP, "v1", "apiservices")
    if kind is None:
        return
    served = {
        f"{version}.{group}": version
        for each in registry.kinds.all()
        if each.custom and each.group == group
        for version in each.versions
    }
    found = {record.name for record in store.list(kind.stored_in)}
    context = RequestContext(SYSTEM, field_manager="kube-apiserver")
    for name, version in served.items():
        if name not in found:
            with suppress(AlreadyExists):
                await registry.create(context, kind, "", _api_service(name, group=group, version=version))
    for record in store.list(kind.stored_in):
        managed = record.labels.get(_LABEL) == "true" and record.obj["spec"].get("group") == group
        if managed and record.name not in served:
            with suppress(NotFound):
                await registry.delete(context, kind, "", record.name)


def _api_service(name: str, *, group: str, version: str) -> Object:
    return {
        "apiVersion": f"{_GROUP}/v1",
        "kind": "APIService",
        "metadata": {"name": name, "labels": {_LABEL: "true"}},
        "spec": {
            "group": group,
            "groupPriorityMinimum": _GROUP_PRIORITY,
            "version": version,
            "versionPriority": _VERSION_PRIORITY,
        },
    }
