"""Which pods each Service selects, kept current from one change to the next: no list is ever searched again.

A pod that nothing selects costs a look-up for each of its labels, and nothing is kept of it.
"""

from collections.abc import Callable, Mapping

from kubeling.client import Informer
from kubeling.client.resources import PODS, SERVICES
from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object
from server.controllers.context import Context
from server.controllers.owned.pods import is_finished

Changed = Callable[[str], None]
_Pair = tuple[str, str, str]
"""A namespace, and a label with its value."""


class Membership:
    """Services are known by their keys, `namespace/name`. The pods are shared: never change them."""

    def __init__(self, pods: Informer, services: Informer) -> None:
        self._pods = pods
        self._selectors: dict[str, Mapping[str, str]] = {}
        self._by_pair: dict[_Pair, set[str]] = {}
        """The Services under one pair of their selectors: whoever has the pair may be theirs."""
        self._members: dict[str, dict[str, None]] = {}
        """The names of the pods of each Service that has a selector."""
        self._selected: dict[tuple[str, str], frozenset[str]] = {}
        """By which Services each pod is selected that any selects."""
        self._followers: list[Changed] = []
        services.add_handler(self._service_changed)
        pods.add_handler(self._pod_changed)

    def follow(self, changed: Changed) -> None:
        """Call `changed(key)` when a Service has changed, or its pods have in something that counts."""
        self._followers.append(changed)
        for key in self._members:
            changed(key)

    def pods(self, key: str) -> list[Object]:
        namespace = meta.split_key(key)[0]
        found = (self._pods.get(namespace, name) for name in self._members.get(key, ()))
        return [pod for pod in found if pod is not None]

    def _tell(self, key: str) -> None:
        for changed in self._followers:
            changed(key)

    def _service_changed(self, kind: str, service: Object, _: Object | None) -> None:
        key = meta.key(service)
        selector = _selector(service) if kind != "DELETED" else {}
        if selector != self._selectors.get(key, {}):
            self._drop(key)
            if selector:
                self._file(key, selector)
        self._tell(key)

    def _file(self, key: str, selector: Mapping[str, str]) -> None:
        namespace = meta.split_key(key)[0]
        self._selectors[key] = selector
        self._by_pair.setdefault(_pair(namespace, selector), set()).add(key)
        members = self._members.setdefault(key, {})
        for pod in self._pods.list(namespace):
            if _matches(selector, meta.labels(pod)):
                members[meta.name(pod)] = None
                place = (namespace, meta.name(pod))
                self._selected[place] = self._selected.get(place, frozenset()) | {key}

    def _drop(self, key: str) -> None:
        selector = self._selectors.pop(key, None)
        if selector is None:
            return
        namespace = meta.split_key(key)[0]
        pair = _pair(namespace, selector)
        self._by_pair[pair].discard(key)
        if not self._by_pair[pair]:
            del self._by_pair[pair]
        for name in self._members.pop(key):
            self._note(namespace, name, self._selected.get((namespace, name), frozenset()) - {key})

    def _note(self, namespace: str, name: str, keys: frozenset[str]) -> None:
        if keys:
            self._selected[namespace, name] = keys
        else:
            self._selected.pop((namespace, name), None)

    def _pod_changed(self, kind: str, pod: Object, old: Object | None) -> None:
        namespace, name = meta.namespace(pod), meta.name(pod)
        before = self._selected.get((namespace, name), frozenset())
        keys = self._selecting(namespace, meta.labels(pod)) if kind != "DELETED" else frozenset()
        if not keys and not before:
            return
        self._note(namespace, name, keys)
        for key in before - keys:
            self._members[key].pop(name, None)
        for key in keys:
            self._members[key][name] = None
        same = old is not None and keys == before and _counted(old) == _counted(pod)
        for key in () if same else keys | before:
            self._tell(key)

    def _selecting(self, namespace: str, labels: Mapping[str, str]) -> frozenset[str]:
        found: list[str] = []
        for label, value in labels.items():
            for key in self._by_pair.get((namespace, label, value), ()):
                if _matches(self._selectors[key], labels):
                    found.append(key)
        return frozenset(found)


def membership(context: Context) -> Membership:
    """The one that all controllers share."""
    client = context.client
    return context.share(Membership, lambda: Membership(client.informer(PODS), client.informer(SERVICES)))


def _selector(service: Object) -> Mapping[str, str]:
    spec = service.get("spec") or {}
    return spec.get("selector") or {} if spec.get("type") != "ExternalName" else {}


def _pair(namespace: str, selector: Mapping[str, str]) -> _Pair:
    label = min(selector)
    return namespace, label, selector[label]


def _matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return all(labels.get(label) == value for label, value in selector.items())


def _counted(pod: Object) -> tuple[object, ...]:
    """What of a pod an endpoint shows."""
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    return (
        meta.uid(pod),
        meta.is_terminating(pod),
        conditions.is_true(pod, "Ready"),
        is_finished(pod),
        status.get("podIP"),
        status.get("podIPs"),
        spec.get("nodeName"),
        meta.labels(pod),
    )
