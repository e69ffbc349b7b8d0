"""Takes in what happens in the cluster: into the state that is decided by, and into the queue as events."""

from collections.abc import Callable, Container, Iterator

from kubeling.client.protocol import Handler, Informer
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.scheduler.cluster_state import ClusterState
from server.scheduler.demand import allocated, demand
from server.scheduler.framework import Action, ClusterEvent, Resources
from server.scheduler.handles import Handles
from server.scheduler.nominations import Nominations
from server.scheduler.plugins.scheduling_gates import is_gated
from server.scheduler.pod_info import PodInfo, is_finished, node_of, scheduler_of
from server.scheduler.queue import SchedulingQueue

_VERBS = {"ADDED": Action.ADD, "MODIFIED": Action.UPDATE, "DELETED": Action.DELETE}


class News:
    """Follows the informers until it is stopped. `names` are the schedulers' names that are ours."""

    def __init__(
        self, cluster: ClusterState, queue: SchedulingQueue, nominations: Nominations, names: Container[str]
    ) -> None:
        self._cluster = cluster
        self._queue = queue
        self._nominations = nominations
        self._names = names
        self._following: list[tuple[Informer, Handler]] = []

    def follow(self, *, pods: Informer, nodes: Informer, namespaces: Informer, handles: Handles) -> None:
        """Nodes come first: pods are counted where they are."""
        self._add(namespaces, self._namespace_changed)
        self._add(nodes, self._node_changed)
        for resource, informer in handles.watched():
            self._add(informer, self._telling(resource))
        self._add(pods, self._pod_changed)

    def _add(self, informer: Informer, handler: Handler) -> None:
        self._following.append((informer, handler))
        informer.add_handler(handler)

    def stop(self) -> None:
        for informer, handler in self._following:
            informer.remove_handler(handler)

    def _telling(self, resource: str) -> Handler:
        def tell(kind: str, obj: Object, old: Object | None) -> None:
            gone = kind == "DELETED"
            event = ClusterEvent(resource, _VERBS[kind], old or obj if gone else old, None if gone else obj)
            self._queue.happened(event)

        return tell

    def _namespace_changed(self, kind: str, namespace: Object, old: Object | None) -> None:
        if kind == "DELETED":
            return
        self._cluster.put_namespace(namespace)
        if old is not None and meta.labels(old) != meta.labels(namespace):
            self._queue.happened(ClusterEvent(Resources.NAMESPACE, Action.UPDATE, old, namespace))

    def _node_changed(self, kind: str, node: Object, old: Object | None) -> None:
        if kind == "DELETED":
            self._cluster.remove_node(meta.name(node))
            self._queue.happened(ClusterEvent(Resources.NODE, Action.DELETE, node, None))
            return
        self._cluster.put_node(node)
        action = node_action(node, old)
        if action:
            self._queue.happened(ClusterEvent(Resources.NODE, action, old, node))

    def _pod_changed(self, kind: str, pod: Object, old: Object | None) -> None:
        if kind == "DELETED" or is_finished(pod):
            self._pod_gone(pod, old)
        elif node_of(pod):
            self._pod_placed(pod, old)
        else:
            self._pod_waiting(pod, old)

    def _pod_gone(self, pod: Object, old: Object | None) -> None:
        key = meta.key(pod)
        before = old if old is not None else pod
        occupied = bool(node_of(before)) and not is_finished(before)
        occupied = occupied or self._cluster.is_assumed(key) or bool(self._nominations.node_of(key))
        self._cluster.remove_pod(key)
        self._leave_queue(key)
        if occupied:
            self._queue.happened(ClusterEvent(Resources.ASSIGNED_POD, Action.DELETE, before, None))

    def _pod_placed(self, pod: Object, old: Object | None) -> None:
        self._cluster.put_pod(pod)
        if old is None or not node_of(old):
            self._leave_queue(meta.key(pod))
            self._queue.happened(ClusterEvent(Resources.ASSIGNED_POD, Action.ADD, None, pod))
            return
        action = pod_action(pod, old)
        if action:
            self._queue.happened(ClusterEvent(Resources.ASSIGNED_POD, action, old, pod))

    def _leave_queue(self, key: str) -> None:
        self._queue.remove(key)
        self._nominations.drop(key)

    def _pod_waiting(self, pod: Object, old: Object | None) -> None:
        self._cluster.put_pod(pod)
        key = meta.key(pod)
        if scheduler_of(pod) not in self._names or meta.is_terminating(pod) or is_gated(pod):
            self._leave_queue(key)
            return
        if self._cluster.is_assumed(key):
            return
        info = PodInfo(pod)
        self._nominations.news(info, PodInfo(old) if old is not None else None)
        self._queue.add(info)
        if old is not None and (info.spec, info.labels) != (old.get("spec"), meta.labels(old)):
            self._queue.changed(key)


def node_action(node: Object, old: Object | None) -> Action:
    """What happened to a node that may let pods fit. Heartbeats are nothing."""
    if old is None:
        return Action.ADD
    action = Action(0)
    for happened, look in _NODE_ASPECTS:
        if look(node) != look(old):
            action |= happened
    return action


def _taints(node: Object) -> object:
    spec = node.get("spec") or {}
    return spec.get("taints") or [], bool(spec.get("unschedulable"))


_NODE_ASPECTS: tuple[tuple[Action, Callable[[Object], object]], ...] = (
    (Action.ALLOCATABLE, lambda node: (node.get("status") or {}).get("allocatable")),
    (Action.LABELS, meta.labels),
    (Action.TAINTS, _taints),
)


def pod_action(pod: Object, old: Object) -> Action:
    """What happened to a pod on its node."""
    action = Action(0)
    if meta.labels(pod) != meta.labels(old):
        action |= Action.LABELS
    if (pod.get("spec") != old.get("spec") or allocated(pod) != allocated(old)) and any(_shrunk(pod, old)):
        action |= Action.SCALE_DOWN
    return action


def _shrunk(pod: Object, old: Object) -> Iterator[bool]:
    now = demand(pod).requests
    for name, amount in demand(old).requests.items():
        yield now.get(name, 0) < amount
