"""Which pods belong together with a pod: those of its Services and of its controller.

What pods are spread by when they do not say themselves how they want to be spread.
"""

from collections.abc import Mapping, Sequence

from kubeling.client.protocol import Informer
from kubeling.objects import meta
from kubeling.objects.labels import EVERYTHING, Requirement, Selector, from_map
from kubeling.objects.meta import Object
from server.scheduler.pod_info import PodInfo
from server.scheduler.pod_terms import selector_of


class PodSelectors:
    def __init__(
        self, services: Informer, controllers: Informer, replica_sets: Informer, stateful_sets: Informer
    ) -> None:
        self.informers: Sequence[Informer] = (services, controllers, replica_sets, stateful_sets)
        self._owners: Mapping[tuple[str, str], Informer] = {
            ("v1", "ReplicationController"): controllers,
            ("apps/v1", "ReplicaSet"): replica_sets,
            ("apps/v1", "StatefulSet"): stateful_sets,
        }
        self._services: dict[str, dict[str, Mapping[str, str]]] = {}
        """The selectors of each namespace's Services, by their names."""
        services.add_handler(self._service_changed)

    def selector(self, pod: PodInfo) -> Selector:
        """Empty when nothing selects the pod."""
        merged: dict[str, str] = {}
        for selector in self._services.get(pod.namespace, {}).values():
            if selector.items() <= pod.labels.items():
                merged |= selector
        owner = self._owner_selector(pod)
        if owner is None:
            return from_map(merged) if merged else EVERYTHING
        requirements: list[Requirement] = [*from_map(merged).requirements, *owner.requirements]
        return Selector(tuple(requirements))

    def _owner_selector(self, pod: PodInfo) -> Selector | None:
        reference = meta.controller_of(pod.pod)
        if reference is None:
            return None
        informer = self._owners.get((str(reference.get("apiVersion")), str(reference.get("kind"))))
        owner = informer.get(pod.namespace, str(reference.get("name"))) if informer is not None else None
        if owner is None:
            return None
        selector = (owner.get("spec") or {}).get("selector")
        return (
            from_map(selector or {})
            if reference["kind"] == "ReplicationController"
            else selector_of(selector)
        )

    def _service_changed(self, kind: str, service: Object, _: Object | None) -> None:
        selectors = self._services.setdefault(meta.namespace(service), {})
        selector = (service.get("spec") or {}).get("selector")
        if kind == "DELETED" or not selector:
            selectors.pop(meta.name(service), None)
        else:
            selectors[meta.name(service)] = selector
