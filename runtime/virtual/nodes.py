"""The virtual nodes: registers those that were asked for, serves every Node that bears the label.

Whoever makes a Node with the label `kubeling.dev/virtual: "true"` has a virtual node; whoever deletes one
has none.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from kubeling.client.backoff import Backoff
from kubeling.client.errors import ConnectionLost
from kubeling.client.protocol import Client, Informer
from kubeling.client.resources import NODES
from kubeling.objects import conditions
from kubeling.objects.clock import Clock
from kubeling.objects.errors import AlreadyExists, ApiError
from kubeling.objects.meta import Object, annotations, name, uid
from kubeling.objects.tasks import Tasks
from runtime.node.node_object import unfollowed
from runtime.pods.context import NodeContext
from runtime.virtual.addresses import FALLBACK, Addresses
from runtime.virtual.heartbeats import Heartbeats
from runtime.virtual.node_object import NodeShape, is_virtual, new_node
from runtime.virtual.wishes import LOST

logger = logging.getLogger(__name__)

AT_ONCE = 16
"""Nodes that are registered at the same time."""
_OURS = re.compile(r"virtual-(\d+)")


@dataclass(slots=True)
class VirtualNode:
    """What is kept of one node. `context` is made with its first pod."""

    name: str
    uid: str
    spare: Addresses = field(repr=False)
    """For pods that come before the node has a range of its own."""
    cidr: str = ""
    lost: bool = False
    context: NodeContext | None = field(default=None, repr=False)
    addresses: Addresses | None = field(default=None, repr=False)

    def pool(self) -> Addresses:
        if self.addresses is None and self.cidr:
            self.addresses = Addresses(self.cidr)
        return self.addresses or self.spare


class VirtualNodes:
    def __init__(
        self, client: Client, nodes: Informer, clock: Clock, tasks: Tasks, shape: NodeShape, *, silent: bool
    ) -> None:
        self._client = client
        self._nodes = nodes
        self._clock = clock
        self._tasks = tasks
        self._shape = shape
        self._known: dict[str, VirtualNode] = {}
        self._came: Callable[[str], None] = lambda name: None
        self._fell_silent: Callable[[str], None] = lambda name: None
        self._busy = 0
        self._spare = Addresses(FALLBACK)
        self.heartbeats = Heartbeats(client, clock, tasks, shape, nodes, silent=silent)

    @property
    def idle(self) -> bool:
        return not self._busy and self.heartbeats.idle

    def get(self, node_name: str) -> VirtualNode | None:
        return self._known.get(node_name)

    def names(self) -> list[str]:
        return list(self._known)

    def start(self, *, came: Callable[[str], None], lost: Callable[[str], None]) -> None:
        """Serve the nodes that bear the label.

        `came` is told the name of each new one and of each that is found, `lost` of each that is lost.
        """
        self._came, self._fell_silent = came, lost
        self._nodes.add_handler(self._changed)
        self.heartbeats.start()

    async def register(self, count: int) -> None:
        """Make `virtual-0` to `virtual-<count - 1>`, and remove those with higher numbers."""
        self._busy += 1
        try:
            await self._remove(each for each in self._known if _number(each) >= count)
            numbers = iter(range(count))
            async with Tasks("register") as tasks:
                workers = [
                    tasks.start(self._register(numbers), name=f"register-{each}") for each in range(AT_ONCE)
                ]
                await asyncio.gather(*workers)
        finally:
            self._busy -= 1

    async def _register(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            node_name = f"virtual-{number}"
            if node_name not in self._known:
                await self._until_done(lambda node_name=node_name: self._create(node_name))  # type: ignore[misc]

    async def _create(self, node_name: str) -> None:
        try:
            await self._client.create(NODES, new_node(node_name, self._shape, self._clock.now()))
        except AlreadyExists:
            logger.debug("the node %s is there already", node_name)

    async def _remove(self, names: Iterable[str]) -> None:
        for node_name in list(names):
            try:
                await self._client.delete(NODES, node_name)
            except (ConnectionLost, ApiError) as error:
                logger.warning("node %s, which is no longer wanted, cannot be removed: %s", node_name, error)

    async def _until_done(self, attempt: Callable[[], object]) -> None:
        backoff = Backoff(initial=0.05, factor=1.5, limit=2)
        while True:
            try:
                await attempt()  # type: ignore[misc]
            except (ConnectionLost, ApiError) as error:
                logger.info("a virtual node cannot be registered yet: %s", error)
                await self._clock.sleep(backoff.next())
            else:
                return

    def _changed(self, kind: str, node: Object, _: Object | None) -> None:
        known = self._known.get(name(node))
        if kind == "DELETED" or not is_virtual(node):
            if known is not None and known.uid == uid(node):
                del self._known[known.name]
                self.heartbeats.forget(known.name)
            return
        if known is None or known.uid != uid(node):
            known = self._known[name(node)] = VirtualNode(name(node), uid(node), self._spare)
            self.heartbeats.begin(known.name, known.uid)
            if not _is_lost(node):
                self._came(known.name)
        known.cidr = str((node.get("spec") or {}).get("podCIDR") or "")
        self._follow_life(known, node)

    def _follow_life(self, known: VirtualNode, node: Object) -> None:
        """Silence on demand; and a report at once from a node that nobody has heard of, that is taken for
        dead, or to which others gave resources.
        """
        lost = _is_lost(node)
        if lost != known.lost:
            known.lost = lost
            if lost:
                self.heartbeats.pause(known.name)
                self._fell_silent(known.name)
            else:
                self.heartbeats.resume(known.name)
                self._came(known.name)
        if not lost and (unfollowed(node) or not conditions.is_true(node, "Ready")):
            self.heartbeats.report(known.name)


def _is_lost(node: Object) -> bool:
    return annotations(node).get(LOST) == "true"


def _number(node_name: str) -> int:
    """-1 for a node of another name."""
    found = _OURS.fullmatch(node_name)
    return int(found[1]) if found else -1
