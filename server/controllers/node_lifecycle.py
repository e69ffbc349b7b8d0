"""Watches the nodes' heartbeats: one that falls silent becomes Unknown, and taints follow the conditions.

The key is the node. Silence is measured on the own clock, from when a heartbeat was last seen to change,
so that a node's clock may be wrong. Pods are not evicted here.
"""

import copy
from dataclasses import dataclass

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.resources import LEASES, NODES
from kubeling.objects import conditions, meta
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.node_taints import tainted

LEASE_NAMESPACE = "kube-node-lease"
HEARTBEAT_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


def make(context: Context) -> Controller:
    lifecycle = NodeLifecycle(context)
    runner = ControllerRunner("node-lifecycle-controller", lifecycle.reconcile, clock=context.clock)
    runner.watches(lifecycle.nodes)
    runner.watches(lifecycle.leases, meta.name)
    return runner


@dataclass(slots=True)
class _Heartbeat:
    """What the node last showed of life, and when that was new."""

    sign: tuple[str, str]
    seen: float


class NodeLifecycle:
    def __init__(self, context: Context) -> None:
        self.nodes = context.client.informer(NODES)
        self.leases = context.client.informer(LEASES, namespace=LEASE_NAMESPACE)
        self._client = context.client
        self._clock = context.clock
        self._settings = context.settings
        self._recorder = context.recorder("node-controller")
        self._heartbeats: dict[str, _Heartbeat] = {}

    async def reconcile(self, name: str) -> Result:
        node = self.nodes.get("", name)
        if node is None:
            self._forget(name)
            return DONE
        remaining = self._remaining(node)
        if remaining <= 0:
            node = await self._mark_unknown(node)
        await self._adjust_taints(node)
        return Result(requeue_after=remaining) if remaining > 0 else DONE

    def _forget(self, name: str) -> None:
        if self._heartbeats.pop(name, None):
            gone = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "uid": name}}
            self._say(gone, "RemovingNode", f"Node {name} event: Removing Node {name} from Controller")

    def _say(self, node: Object, reason: str, message: str) -> None:
        self._recorder.event(node, "Normal", reason, message)

    def _remaining(self, node: Object) -> float:
        """Seconds that the node may still stay silent."""
        name, now = meta.name(node), self._clock.monotonic()
        ready = conditions.find(node, "Ready")
        lease = self.leases.get(LEASE_NAMESPACE, name) or {}
        sign = (
            str((lease.get("spec") or {}).get("renewTime")),
            str((ready or {}).get("lastHeartbeatTime")),
        )
        heartbeat = self._heartbeats.get(name)
        if heartbeat is None:
            heartbeat = self._heartbeats[name] = _Heartbeat(sign, now)
            self._say(node, "RegisteredNode", f"Node {name} event: Registered Node {name} in Controller")
        elif heartbeat.sign != sign:
            heartbeat.sign, heartbeat.seen = sign, now
        grace = self._settings.node_monitor_grace if ready else self._settings.node_startup_grace
        return heartbeat.seen + grace - now

    async def _mark_unknown(self, node: Object) -> Object:
        fresh = copy.deepcopy(node)
        was_ready = conditions.is_true(node, "Ready")
        changes = [self._make_unknown(fresh, kind) for kind in HEARTBEAT_CONDITIONS]
        if not any(changes):
            return node
        updated = await self._client.update(NODES, fresh, subresource="status")
        if was_ready:
            self._say(node, "NodeNotReady", f"Node {meta.name(node)} status is now: NodeNotReady")
        return updated

    def _make_unknown(self, node: Object, kind: str) -> bool:
        condition = conditions.find(node, kind)
        if condition is not None and condition.get("status") == "Unknown":
            return False
        if condition is None:
            reason, message = "NodeStatusNeverUpdated", "Kubelet never posted node status."
        else:
            reason, message = "NodeStatusUnknown", "Kubelet stopped posting node status."
        now = self._clock.now()
        return conditions.set_condition(node, kind, "Unknown", reason=reason, message=message, now=now)

    async def _adjust_taints(self, node: Object) -> None:
        taints = tainted(node, self._clock.now())
        if taints is None:
            return
        patch = {
            "metadata": {"resourceVersion": meta.resource_version(node)},
            "spec": {"taints": taints or None},
        }
        await self._client.patch(NODES, meta.name(node), patch)
