"""Watches the nodes' heartbeats: one that falls silent becomes Unknown, and taints follow the conditions.

 heartbeat missing for the grace ──> conditions Unknown, pods not Ready ──> taint NoSchedule at once,
                                     NoExecute when it is the node's turn in its zone

The key is the node. Silence is measured on the own clock, from when a heartbeat was last seen to change,
so that a node's clock may be wrong. A renewed Lease only moves the node to the end of a queue; nothing is
reconciled for it. Taints and the network of a new node are one write. Pods are evicted by `taint_eviction`.
"""

import copy
from contextlib import suppress

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.index import Index, by_node
from kubeling.client.resources import LEASES, NODES, PODS
from kubeling.objects import conditions, meta
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.nodes.heartbeats import Heartbeats
from server.controllers.nodes.ipam import NodeIpam
from server.controllers.nodes.taints import is_evicting, tainted
from server.controllers.nodes.zones import Zones, zone_of

LEASE_NAMESPACE = "kube-node-lease"
HEARTBEAT_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
_LABELS = {
    "kubernetes.io/os": "beta.kubernetes.io/os",
    "kubernetes.io/arch": "beta.kubernetes.io/arch",
}
WORKERS = 4


def make(context: Context) -> Controller:
    return NodeLifecycle(context)


class NodeLifecycle:
    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._clock = context.clock
        self._settings = context.settings
        self._recorder = context.recorder("node-controller")
        self._runner = ControllerRunner(
            "node-lifecycle-controller", self.reconcile, clock=context.clock, workers=WORKERS
        )
        self._heartbeats = Heartbeats(context.clock, self._runner.queue.add)
        self._zones = Zones(context.clock, admitted=self._runner.queue.add, shifted=self._shifted)
        self._ipam = NodeIpam(context.settings, context.recorder("cidrAllocator"), self._runner.queue.add)
        self._nodes = context.client.informer(NODES)
        leases = context.client.informer(LEASES, namespace=LEASE_NAMESPACE)
        pods = context.client.informer(PODS)
        self._pods = Index.shared(pods, by_node)
        self._nodes.add_handler(self._node_changed)
        leases.add_handler(self._lease_changed)
        for informer in (self._nodes, leases, pods):
            self._runner.reads(informer)

    @property
    def idle(self) -> bool:
        return self._runner.idle

    def start(self) -> None:
        self._runner.start()

    async def stop(self) -> None:
        await self._heartbeats.stop()
        await self._zones.stop()
        await self._runner.stop()

    async def reconcile(self, name: str) -> Result:
        node = self._nodes.get("", name)
        if node is None:
            return DONE
        if self._heartbeats.is_silent(name) and await self._mark_unknown(node):
            return DONE  # it comes again when the zone has been told, too
        await self._adjust(node)
        if _ready_status(node) == "Unknown" and self._heartbeats.is_silent(name):
            await self._mark_pods_not_ready(name)
        return DONE

    def _node_changed(self, kind: str, node: Object, old: Object | None) -> None:
        name = meta.name(node)
        if kind == "DELETED":
            self._heartbeats.forget(name)
            self._zones.forget(name)
            self._ipam.forget(name)
            self._say(node, "RemovingNode", f"Node {name} event: Removing Node {name} from Controller")
            return
        ready = conditions.find(node, "Ready")
        grace = self._settings.node_monitor_grace if ready else self._settings.node_startup_grace
        if self._settings.vouched is not None and self._settings.vouched(node):
            grace = float("inf")
        self._heartbeats.expect(name, grace)
        if old is None:
            self._say(node, "RegisteredNode", f"Node {name} event: Registered Node {name} in Controller")
        elif _heartbeat(ready) != _heartbeat(conditions.find(old, "Ready")):
            self._heartbeats.beat(name)
        self._ipam.observe(node)
        self._zones.observe(node, ready=_ready_status(node) == "True")
        if old is None or _concerns(node) != _concerns(old):
            self._runner.queue.add(name)

    def _lease_changed(self, kind: str, lease: Object, old: Object | None) -> None:
        if kind != "DELETED" and (old is None or _renewed(lease) != _renewed(old)):
            self._heartbeats.beat(meta.name(lease))

    def _shifted(self) -> None:
        """The last ready node is gone, or the first one is back: then all others get their time again."""
        for name in list(self._heartbeats.names()):
            if not self._zones.blackout and not self._heartbeats.is_silent(name):
                self._heartbeats.beat(name)
            self._runner.queue.add(name)

    def _say(self, node: Object, reason: str, message: str) -> None:
        self._recorder.event(node, "Normal", reason, message)

    async def _mark_unknown(self, node: Object) -> bool:
        """Whether there was something left to be marked."""
        fresh = copy.deepcopy(node)
        changes = [self._make_unknown(fresh, kind) for kind in HEARTBEAT_CONDITIONS]
        if not any(changes):
            return False
        with suppress(NotFound):
            await self._client.update(NODES, fresh, subresource="status")
        if conditions.is_true(node, "Ready"):
            self._say(node, "NodeNotReady", f"Node {meta.name(node)} status is now: NodeNotReady")
        return True

    def _make_unknown(self, node: Object, kind: str) -> bool:
        condition = conditions.find(node, kind)
        if condition is not None and condition.get("status") == "Unknown":
            return False
        if condition is None:
            reason, message = "NodeStatusNeverUpdated", "Kubelet never posted node status."
        else:
            reason, message = "NodeStatusUnknown", "Kubelet stopped posting node status."
        conditions.set_condition(node, kind, "Unknown", reason=reason, message=message, now=self._clock.now())
        if condition is None:
            node["status"]["conditions"][-1]["lastHeartbeatTime"] = meta.metadata(node)["creationTimestamp"]
        return True

    async def _adjust(self, node: Object) -> None:
        """Taints as the conditions ask for, a network, and the old names of two labels."""
        taints = tainted(node, self._clock.now(), evicting=self._is_evicting(node))
        labels, spec = _missing_labels(node), dict[str, object]()
        if taints is not None:
            spec["taints"] = taints or None
        if network := self._ipam.give(node):
            spec |= {"podCIDR": network, "podCIDRs": [network]}
        if not labels and not spec:
            return
        metadata: Object = {"resourceVersion": meta.resource_version(node)}
        if labels:
            metadata["labels"] = labels
        with suppress(NotFound):
            await self._client.patch(NODES, meta.name(node), {"metadata": metadata, "spec": spec})

    def _is_evicting(self, node: Object) -> bool:
        name = meta.name(node)
        if self._zones.blackout or _ready_status(node) not in ("False", "Unknown"):
            self._zones.withdraw(name)
            return False
        return is_evicting(node) or self._zones.may_empty(name)

    async def _mark_pods_not_ready(self, name: str) -> None:
        for pod in self._pods.get(name):
            if conditions.is_true(pod, "Ready"):
                await self._mark_pod_not_ready(pod)

    async def _mark_pod_not_ready(self, pod: Object) -> None:
        fresh = copy.deepcopy(pod)
        ready = conditions.find(fresh, "Ready") or {}
        ready |= {"status": "False", "lastTransitionTime": meta.timestamp(self._clock.now())}
        with suppress(NotFound):
            await self._client.update(PODS, fresh, subresource="status")
            self._recorder.event(pod, "Warning", "NodeNotReady", "Node is not ready")


def _ready_status(node: Object) -> str:
    return str((conditions.find(node, "Ready") or {}).get("status") or "")


def _renewed(lease: Object) -> object:
    return (lease.get("spec") or {}).get("renewTime")


def _heartbeat(ready: Object | None) -> tuple[bool, str]:
    return ready is not None, str((ready or {}).get("lastHeartbeatTime"))


def _concerns(node: Object) -> tuple[object, ...]:
    """What of a node a reconcile depends on: the rest changes often, and without consequence."""
    spec = node.get("spec") or {}
    found = (node.get("status") or {}).get("conditions") or ()
    statuses = [(each.get("type"), each.get("status")) for each in found]
    return statuses, spec.get("taints"), spec.get("unschedulable"), zone_of(node), _missing_labels(node)


def _missing_labels(node: Object) -> dict[str, str]:
    labels = meta.labels(node)
    return {
        old: labels[new] for new, old in _LABELS.items() if new in labels and labels.get(old) != labels[new]
    }
