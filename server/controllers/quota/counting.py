"""What the objects of a namespace take of a quota, all together."""

from collections.abc import Iterable
from datetime import datetime

from kubeling.client import Informer
from kubeling.objects.errors import GroupResource
from kubeling.objects.meta import Object
from kubeling.objects.quota import evaluator_of, in_all_scopes
from kubeling.objects.resource_list import add, masked, total


def used(
    quota: Object, namespace: str, counted: Iterable[tuple[GroupResource, Informer]], now: datetime
) -> dict[str, str]:
    """By resource; of what no kind that is served takes, nothing is said."""
    hard = quota["spec"].get("hard") or {}
    found: dict[str, str] = {}
    for resource, informer in counted:
        evaluator = evaluator_of(resource)
        names = evaluator.matching(hard)
        usages = (
            masked(evaluator.usage(obj, now), names)
            for obj in informer.list(namespace)
            if in_all_scopes(evaluator, quota, obj)
        )
        found = add(found, add(dict.fromkeys(names, "0"), total(usages)))
    return found
