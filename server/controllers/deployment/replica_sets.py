"""What a Deployment reads from its ReplicaSets: sizes, annotations, order, equality of templates."""

from collections.abc import Iterable, Sequence
from typing import Any

from kubeling.objects import meta
from kubeling.objects.meta import Object

TEMPLATE_HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"


def size(replica_set: Object | None) -> int:
    """How many pods it is to have."""
    return int(((replica_set or {}).get("spec") or {}).get("replicas") or 0)


def told(replica_set: Object | None, count: str) -> int:
    """A count of its status."""
    return int(((replica_set or {}).get("status") or {}).get(count) or 0)


def total_size(replica_sets: Iterable[Object]) -> int:
    return sum(map(size, replica_sets))


def total(replica_sets: Iterable[Object], count: str) -> int:
    return sum(told(each, count) for each in replica_sets)


def active(replica_sets: Iterable[Object]) -> list[Object]:
    return [each for each in replica_sets if size(each) > 0]


def revision(replica_set: Object) -> int:
    """0 without one, or with one that is no number."""
    return number(replica_set, REVISION) or 0


def number(obj: Object, annotation: str) -> int | None:
    try:
        return int(meta.annotations(obj)[annotation])
    except (KeyError, ValueError):
        return None


def by_age(replica_set: Object) -> tuple[str, str]:
    """The oldest first; then by name."""
    return str(meta.metadata(replica_set).get("creationTimestamp") or ""), meta.name(replica_set)


def largest_first(replica_sets: Iterable[Object], *, newest_first: bool) -> list[Object]:
    """Those of one size by age."""
    ordered = sorted(replica_sets, key=by_age, reverse=newest_first)
    return sorted(ordered, key=size, reverse=True)


def by_revision(replica_sets: Iterable[Object]) -> list[Object]:
    return sorted(replica_sets, key=lambda each: (revision(each), by_age(each)))


def of_template(replica_sets: Sequence[Object], template: Object) -> Object | None:
    """The oldest one that was made from the template."""
    same = [each for each in replica_sets if is_same_template(each["spec"].get("template") or {}, template)]
    return min(same, key=by_age, default=None)


def is_same_template(one: Object, other: Object) -> bool:
    """Whether they are equal but for the hash label. Both have their defaults, and are in canonical form."""
    return _without_hash(one) == _without_hash(other)


def _without_hash(template: Object) -> tuple[Any, Object, Object]:
    own = dict(template.get("metadata") or {})
    labels = {name: value for name, value in (own.pop("labels", None) or {}).items() if name != TEMPLATE_HASH}
    return template.get("spec"), own, labels
