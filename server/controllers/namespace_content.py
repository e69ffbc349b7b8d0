"""Deletes what is in a namespace, kind by kind, and counts what is left. Not the conditions."""

from collections import Counter
from dataclasses import dataclass, field

from kubeling.client import Client
from kubeling.client.resources import PODS, Resource
from kubeling.objects import meta
from kubeling.objects.errors import ApiError, MethodNotAllowed, NotFound
from kubeling.objects.meta import Object

FINALIZER_ESTIMATE = 15.0
"""Seconds that somebody's finalizer is expected to take."""
NEEDED_VERBS = frozenset({"list", "delete"})


@dataclass(slots=True)
class Remains:
    """What is still in the namespace after a round of deleting."""

    resources: dict[str, int] = field(default_factory=dict)
    """Objects by `resource.group`."""
    finalizers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    estimate: float = 0.0
    """Seconds that what is left will take to go."""


async def delete_content(client: Client, namespace: str) -> Remains:
    """One round: pods first, and the rest only when no pod is left that may still use it.

    Raises:
        ApiError: the server's resources cannot be learned.
    """
    remains = Remains()
    await _delete_kind(client, PODS, namespace, remains)
    if remains.resources:
        return remains
    for resource in await client.discover():
        if resource.namespaced and resource.verbs >= NEEDED_VERBS and resource != PODS:
            await _delete_kind(client, resource, namespace, remains)
    return remains


async def _delete_kind(client: Client, resource: Resource, namespace: str, remains: Remains) -> None:
    try:
        found = (await client.list(resource, namespace=namespace)).items
        if not found:
            return
        await _delete_all(client, resource, namespace, found)
        left = (await client.list(resource, namespace=namespace)).items
    except ApiError as error:
        remains.failures.append(f"{resource}: {error}")
        return
    if left:
        _count(resource, left, remains)


async def _delete_all(client: Client, resource: Resource, namespace: str, found: list[Object]) -> None:
    try:
        await client.delete_collection(resource, namespace=namespace, propagation_policy="Background")
    except MethodNotAllowed:
        for obj in found:
            await _delete_one(client, resource, obj)


async def _delete_one(client: Client, resource: Resource, obj: Object) -> None:
    try:
        await client.delete(
            resource, meta.name(obj), namespace=meta.namespace(obj), propagation_policy="Background"
        )
    except NotFound:
        return


def _count(resource: Resource, left: list[Object], remains: Remains) -> None:
    remains.resources[f"{resource.plural}.{resource.group}"] = len(left)
    for obj in left:
        remains.finalizers.update(meta.metadata(obj).get("finalizers") or [])
        remains.estimate = max(remains.estimate, _seconds_left(resource, obj))


def _seconds_left(resource: Resource, obj: Object) -> float:
    if resource == PODS and not meta.metadata(obj).get("finalizers"):
        return float((obj.get("spec") or {}).get("terminationGracePeriodSeconds") or 0)
    return FINALIZER_ESTIMATE
