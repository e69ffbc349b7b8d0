"""Deletes what is in a namespace, kind by kind, and counts what is left. Not the conditions."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from kubeling.client import Client
from kubeling.client.resources import PODS, Resource
from kubeling.objects import meta
from kubeling.objects.errors import ApiError, MethodNotAllowed, NotFound
from kubeling.objects.meta import Object

FINALIZER_ESTIMATE = 15.0
"""Seconds that somebody's finalizer is expected to take."""
_ENDED = ("Succeeded", "Failed")


@dataclass(slots=True)
class Remains:
    """What is still in the namespace after a round of deleting."""

    objects: dict[Resource, list[Object]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    undiscovered: Mapping[str, str] = field(default_factory=dict)
    """Why nothing is known of a `group/version`, which may have objects in the namespace."""
    estimate: float = 0.0
    """Seconds that what is left will take to go."""

    @property
    def finalizers(self) -> Counter[str]:
        """Which hold how many objects."""
        left = (obj for objects in self.objects.values() for obj in objects)
        return Counter(each for obj in left for each in meta.metadata(obj).get("finalizers") or ())


async def delete_content(client: Client, namespace: Object, *, now: datetime) -> Remains:
    """One round: pods first, and the rest only when no pod is left that may still use it.

    Raises:
        ApiError: the server's resources cannot be learned.
    """
    found = await client.discovery()
    remains = Remains(undiscovered=found.failures)
    deleted = meta.parse_timestamp(meta.metadata(namespace)["deletionTimestamp"])
    round_ = _Round(client, meta.name(namespace), remains, (now - deleted).total_seconds())
    await round_.delete_kind(PODS, collection=True)
    if remains.objects or remains.failures:
        return remains
    for resource in found.preferred:
        if resource.namespaced and "delete" in resource.verbs and resource != PODS:
            await round_.delete_kind(resource, collection="deletecollection" in resource.verbs)
    return remains


@dataclass(slots=True)
class _Round:
    client: Client
    namespace: str
    remains: Remains
    passed: float
    """Seconds since the namespace was deleted."""

    async def delete_kind(self, resource: Resource, *, collection: bool) -> None:
        try:
            await self._delete_all(resource, collection=collection)
            left = (await self.client.list(resource, namespace=self.namespace)).items
        except (MethodNotAllowed, NotFound):
            return  # it cannot be listed, or is served no longer
        except ApiError as error:
            self.remains.failures.append(str(error))
            return
        if left:
            self._count(resource, left)

    async def _delete_all(self, resource: Resource, *, collection: bool) -> None:
        if collection:
            try:
                await self.client.delete_collection(
                    resource, namespace=self.namespace, propagation_policy="Background"
                )
            except MethodNotAllowed:
                pass
            else:
                return
        for obj in (await self.client.list(resource, namespace=self.namespace)).items:
            await self._delete_one(resource, obj)

    async def _delete_one(self, resource: Resource, obj: Object) -> None:
        try:
            await self.client.delete(
                resource, meta.name(obj), namespace=self.namespace, propagation_policy="Background"
            )
        except NotFound:
            return

    def _count(self, resource: Resource, left: list[Object]) -> None:
        self.remains.objects[resource] = left
        estimate = _grace(left) if resource == PODS else 0.0
        if estimate <= self.passed:
            held = any(meta.metadata(each).get("finalizers") for each in left)
            estimate = FINALIZER_ESTIMATE if held else 0.0
        self.remains.estimate = max(self.remains.estimate, estimate)
        if not estimate:
            gvr = f"{resource.group}/{resource.version}, Resource={resource.plural}"
            why = f"unexpected items still remain in namespace: {self.namespace} for gvr: {gvr}"
            self.remains.failures.append(why)


def _grace(pods: list[Object]) -> float:
    """Seconds that the slowest of the pods may take to end."""
    running = (pod for pod in pods if (pod.get("status") or {}).get("phase") not in _ENDED)
    specs = (pod.get("spec") or {} for pod in running)
    return max((float(spec.get("terminationGracePeriodSeconds") or 0) for spec in specs), default=0.0)
