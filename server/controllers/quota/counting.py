"""What the objects of a namespace take of a quota, all together.

Pods are many and change seldom: what one takes is kept until it is another.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from kubeling.client import Informer
from kubeling.objects import meta
from kubeling.objects.errors import GroupResource
from kubeling.objects.meta import Object
from kubeling.objects.quota import Evaluator, evaluator_of, requirements
from kubeling.objects.resource_list import ResourceList, add, masked, total


class Usages:
    def __init__(self) -> None:
        self._known: dict[str, tuple[str, ResourceList]] = {}
        """By uid, the resourceVersion and what the object takes."""

    def total(
        self, quota: Object, counted: Iterable[tuple[GroupResource, Informer]], now: datetime
    ) -> dict[str, str]:
        """By resource; of what no kind that is served takes, nothing is said."""
        hard = quota["spec"].get("hard") or {}
        found: dict[str, str] = {}
        for resource, informer in counted:
            evaluator = evaluator_of(resource)
            names = frozenset(evaluator.matching(hard))
            objects = _in_scope(quota, evaluator, informer.list(meta.namespace(quota)))
            usages = (masked(self._of(evaluator, obj, now), names) for obj in objects)
            found = add(found, add(dict.fromkeys(names, "0"), total(usages)))
        return found

    def forget(self, obj: Object) -> None:
        self._known.pop(meta.uid(obj), None)

    def _of(self, evaluator: Evaluator, obj: Object, now: datetime) -> ResourceList:
        """What is being deleted takes something for a while only."""
        if meta.is_terminating(obj):
            return evaluator.usage(obj, now)
        uid, revision = meta.uid(obj), meta.resource_version(obj)
        known = self._known.get(uid)
        if known is None or known[0] != revision:
            known = self._known[uid] = (revision, evaluator.usage(obj, now))
        return known[1]


def _in_scope(quota: Object, evaluator: Evaluator, objects: Iterable[Object]) -> Iterator[Object]:
    wanted = requirements(quota)
    for obj in objects:
        if all(evaluator.in_scope(requirement, obj) for requirement in wanted):
            yield obj
