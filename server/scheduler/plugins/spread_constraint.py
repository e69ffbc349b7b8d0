"""A topology spread constraint, read; and which nodes and pods count for it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import orjson

from kubeling.objects.labels import Predicate, Selector
from kubeling.objects.meta import Object
from kubeling.objects.node_selection import REQUIRED, required
from kubeling.objects.taints import untolerated
from server.scheduler.cluster_state import ClusterState
from server.scheduler.domains import Domains
from server.scheduler.node_state import NodeState
from server.scheduler.placed_pod import SomePod
from server.scheduler.pod_info import PodInfo
from server.scheduler.pod_terms import selector_of

HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"


@dataclass(frozen=True)
class Constraint:
    key: str
    max_skew: int
    selector: Selector
    selects: Predicate
    namespace: str
    min_domains: int = 1
    honors_affinity: bool = True
    honors_taints: bool = False

    def counts(self, pod: SomePod) -> bool:
        return pod.namespace == self.namespace and not pod.terminating and self.selects(pod.labels)

    def domains(self, pod: PodInfo, cluster: ClusterState, keys: frozenset[str]) -> Domains:
        """The pods by domain, on nodes that have all of these labels and that the pod's policies include."""
        included, identity = self._inclusion(pod, keys)
        return cluster.domains.get(
            (self.key, self.namespace, self.selector, identity),
            lambda: Domains(self.key, self.counts, included),
        )

    def _inclusion(self, pod: PodInfo, keys: frozenset[str]) -> tuple[Callable[[NodeState], bool], object]:
        wanted = required(pod.spec) if self.honors_affinity else None
        tolerations = pod.spec.get("tolerations") or []
        honors_taints = self.honors_taints

        def included(node: NodeState) -> bool:
            return (
                keys <= node.labels.keys()
                and (wanted is None or wanted(node.labels, node.name))
                and not (honors_taints and untolerated(tolerations, node.taints))
            )

        affinity = _node_affinity(pod.spec) if wanted is not None else b""
        return included, (keys, affinity, orjson.dumps(tolerations) if honors_taints else b"")


def _node_affinity(spec: Object) -> bytes:
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(REQUIRED)
    return orjson.dumps([spec.get("nodeSelector"), affinity], option=orjson.OPT_SORT_KEYS)


def constraints(items: Iterable[Mapping[str, object]], when: str, namespace: str) -> list[Constraint]:
    """Those of the constraints of a pod that are hard (DoNotSchedule) or soft (ScheduleAnyway)."""
    return [
        _constraint(dict(each), selector_of(each.get("labelSelector")), namespace)  # type: ignore[arg-type]
        for each in items
        if (each.get("whenUnsatisfiable") or "DoNotSchedule") == when
    ]


def defaults(
    items: Iterable[Mapping[str, object]], selector: Selector, when: str, namespace: str
) -> list[Constraint]:
    """Default constraints, which say nothing of pods, for the pods of a selector."""
    return [
        _constraint(dict(each), selector, namespace) for each in items if each["whenUnsatisfiable"] == when
    ]


def _constraint(item: Object, selector: Selector, namespace: str) -> Constraint:
    return Constraint(
        str(item["topologyKey"]),
        int(item["maxSkew"]),
        selector,
        selector.predicate(),
        namespace,
        int(item.get("minDomains") or 1),
        (item.get("nodeAffinityPolicy") or "Honor") == "Honor",
        (item.get("nodeTaintsPolicy") or "Ignore") == "Honor",
    )
