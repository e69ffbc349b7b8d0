"""Tells the nodes for how long they may keep what they have read, by how many nodes there are.

The key is the node. The borders differ up and down, so that a node that comes and goes changes nothing.
Virtual nodes keep nothing, and are not told.
"""

from contextlib import suppress
from typing import NamedTuple

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.resources import NODES
from kubeling.objects import meta
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.nodes.virtual import is_virtual

ANNOTATION = "node.alpha.kubernetes.io/ttl"


class _Step(NamedTuple):
    least: int
    most: int
    seconds: int


_STEPS = (
    _Step(0, 100, 0),
    _Step(90, 500, 15),
    _Step(450, 1000, 30),
    _Step(900, 2000, 60),
    _Step(1800, 1 << 62, 300),
)


def make(context: Context) -> Controller:
    nodes = context.client.informer(NODES)
    lifetime = Lifetime()

    async def reconcile(name: str) -> Result:
        node = nodes.get("", name)
        if node is not None and meta.annotations(node).get(ANNOTATION) != lifetime.seconds:
            with suppress(NotFound):
                await context.client.patch(
                    NODES, name, {"metadata": {"annotations": {ANNOTATION: lifetime.seconds}}}
                )
        return DONE

    runner = ControllerRunner("ttl-controller", reconcile, clock=context.clock)

    def changed(kind: str, node: Object, old: Object | None) -> None:
        lifetime.count(kind)
        if is_virtual(node):
            return
        if old is None or meta.annotations(node).get(ANNOTATION) != lifetime.seconds:
            runner.queue.add(meta.name(node))

    nodes.add_handler(changed)
    runner.reads(nodes)
    return runner


class Lifetime:
    """`seconds`, as text, for the number of nodes. A node learns it when it changes next."""

    def __init__(self) -> None:
        self.seconds = "0"
        self._nodes = 0
        self._step = 0

    def count(self, kind: str) -> None:
        self._nodes += {"ADDED": 1, "DELETED": -1}.get(kind, 0)
        while self._nodes < _STEPS[self._step].least:
            self._step -= 1
        while self._nodes > _STEPS[self._step].most:
            self._step += 1
        self.seconds = str(_STEPS[self._step].seconds)
