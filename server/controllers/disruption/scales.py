"""How many pods the owners of some pods want, all together: what percentages are taken of.

ReplicaSets, Deployments, ReplicationControllers and StatefulSets are looked up in informers; any other owner
is asked for its scale subresource.
"""

from collections.abc import Iterable
from typing import NamedTuple

from kubeling.client import Client, Informer, Resource
from kubeling.client.resources import DEPLOYMENTS, REPLICA_SETS, REPLICATION_CONTROLLERS, STATEFUL_SETS
from kubeling.objects import meta
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object

_APPS = ("apps", "extensions")


class ScaleUnknown(Exception):
    """The number of pods that is wanted cannot be found out; the text is for the budget's condition."""


class Expected(NamedTuple):
    pods: int
    unmanaged: tuple[str, ...]
    """Names of the pods that no controller owns: they do not count."""


class Scales:
    def __init__(self, client: Client) -> None:
        self._client = client
        self._kinds: dict[tuple[str, str], Resource] = {}
        self.replica_sets = client.informer(REPLICA_SETS)
        self.deployments = client.informer(DEPLOYMENTS)
        self.replication_controllers = client.informer(REPLICATION_CONTROLLERS)
        self.stateful_sets = client.informer(STATEFUL_SETS)

    @property
    def informers(self) -> tuple[Informer, ...]:
        return (self.replica_sets, self.deployments, self.replication_controllers, self.stateful_sets)

    async def expected(self, pods: Iterable[Object]) -> Expected:
        """
        Raises:
            ScaleUnknown: an owner is gone, or of a kind that has no scale.
            ApiError: an owner could not be asked.
        """
        scales: dict[str, int] = {}
        known: set[str] = set()
        unmanaged = []
        for pod in pods:
            owner = meta.controller_of(pod)
            if owner is None:
                unmanaged.append(meta.name(pod))
            elif owner["uid"] not in known:
                uid, replicas = await self._scale(owner, pod)
                scales[uid] = replicas
                known.add(owner["uid"])
        return Expected(sum(scales.values()), tuple(unmanaged))

    async def _scale(self, owner: Object, pod: Object) -> tuple[str, int]:
        """Of the owner, or of the Deployment behind it: its uid and the replicas that it wants."""
        namespace = meta.namespace(pod)
        found = self._built_in(owner, namespace) or await self._by_subresource(owner, namespace)
        if found is None or meta.uid(found) == "":
            raise ScaleUnknown(f'found no controllers for pod "{meta.name(pod)}"')
        replicas = (found.get("spec") or {}).get("replicas")
        return meta.uid(found), int(replicas or 0)

    def _built_in(self, owner: Object, namespace: str) -> Object | None:
        group = owner["apiVersion"].rpartition("/")[0]
        match owner["kind"]:
            case "ReplicaSet" if group in _APPS:
                found = _same(self.replica_sets, namespace, owner)
                return self._deployment_or(found, namespace) if found else None
            case "StatefulSet" if group in _APPS:
                return _same(self.stateful_sets, namespace, owner)
            case "ReplicationController" if not group:
                return _same(self.replication_controllers, namespace, owner)
        return None

    def _deployment_or(self, replica_set: Object, namespace: str) -> Object | None:
        """The Deployment behind a ReplicaSet, or the ReplicaSet itself when none stands behind it."""
        above = meta.controller_of(replica_set)
        if above is None or above["kind"] != "Deployment":
            return replica_set
        return _same(self.deployments, namespace, above)

    async def _by_subresource(self, owner: Object, namespace: str) -> Object | None:
        resource = await self._resource(owner)
        try:
            scale = await self._client.get(resource, owner["name"], namespace=namespace, subresource="scale")
        except NotFound as error:
            if (error.details or {}).get("name") != owner["name"]:
                why = f"{resource.group_resource} does not implement the scale subresource"
                raise ScaleUnknown(why) from error
            return None
        return scale if meta.uid(scale) == owner["uid"] else None

    async def _resource(self, owner: Object) -> Resource:
        group = owner["apiVersion"].rpartition("/")[0]
        kind = (group, owner["kind"])
        if kind not in self._kinds:
            served = {(each.group, each.kind): each for each in await self._client.discover()}
            if kind not in served:
                named = f'no matches for kind "{owner["kind"]}" in version "{owner["apiVersion"]}"'
                raise ScaleUnknown(named)
            self._kinds[kind] = served[kind]
        return self._kinds[kind]


def _same(informer: Informer, namespace: str, owner: Object) -> Object | None:
    """The object that the reference means, if it is still that one."""
    found = informer.get(namespace, owner["name"])
    return found if found is not None and meta.uid(found) == owner["uid"] else None
