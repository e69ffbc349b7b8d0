"""Which owners a change of a pod or a revision concerns: its controller, the last one, who may adopt it."""

from collections.abc import Callable, Iterable

from kubeling.client import Informer
from kubeling.objects import meta
from kubeling.objects.labels import SelectorError, from_label_selector
from kubeling.objects.meta import Object
from server.controllers.owned.ownership import Selects


def selector_of(owner: Object) -> Selects:
    """What the owner's selector selects: nothing where it is empty, missing or cannot be read."""
    try:
        selector = from_label_selector(owner["spec"].get("selector"))
    except SelectorError:
        return lambda labels: False
    return (lambda labels: False) if selector.empty else selector.predicate()


def concerned(
    owners: Informer,
    kind: str,
    change: str,
    obj: Object,
    old: Object | None,
    *,
    selects: Callable[[Object], Selects] = selector_of,
) -> Iterable[Object]:
    """The owners of `kind` that have to look again after this change, as an informer's handler is told it."""
    controller = meta.controller_of(obj)
    before = meta.controller_of(old) if old is not None else None
    if before is not None and before != controller:
        yield from resolved(owners, kind, obj, before)
    if controller is not None:
        yield from resolved(owners, kind, obj, controller)
    elif change != "DELETED" and not meta.is_terminating(obj) and _may_be_adopted_since(obj, old):
        for owner in owners.list(meta.namespace(obj)):
            if selects(owner)(meta.labels(obj)):
                yield owner


def waker(owners: Informer, kind: str, wake: Callable[[Object], None]) -> Callable[..., None]:
    """A handler that calls `wake` with each owner of `kind` that a change concerns."""

    def changed(change: str, obj: Object, old: Object | None) -> None:
        for owner in concerned(owners, kind, change, obj, old):
            wake(owner)

    return changed


def _may_be_adopted_since(obj: Object, old: Object | None) -> bool:
    if old is None:
        return True
    return meta.labels(old) != meta.labels(obj) or meta.controller_of(old) is not None


def resolved(owners: Informer, kind: str, obj: Object, reference: Object) -> Iterable[Object]:
    """The owner of `kind` that the object's reference is to, if it is there."""
    if reference.get("kind") != kind:
        return
    owner = owners.get(meta.namespace(obj), str(reference.get("name")))
    if owner is not None and meta.uid(owner) == reference.get("uid"):
        yield owner
