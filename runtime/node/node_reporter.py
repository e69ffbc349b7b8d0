"""Keeps the Node object true: registers it, reports its status when that changes and every five minutes.

A Node that somebody deletes while the agent runs is made again at the next start, as with the kubelet.
"""

import asyncio
import logging
from dataclasses import replace
from typing import Any

from kubeling.client.backoff import Backoff
from kubeling.client.errors import ConnectionLost
from kubeling.client.protocol import STRATEGIC_PATCH, Client
from kubeling.client.resources import NODES
from kubeling.objects import conditions
from kubeling.objects.clock import Clock
from kubeling.objects.errors import AlreadyExists, ApiError, NotFound
from kubeling.objects.meta import Object, labels
from runtime.node.allocatable import allocatable, enforced
from runtime.node.node_events import NodeEvents
from runtime.node.node_object import (
    NodeFacts,
    new_node,
    node_labels,
    node_status,
    pressure_state,
    unfollowed,
)

logger = logging.getLogger(__name__)

REPORT_EVERY = 300.0
"""Seconds between reports when nothing changes."""


class NodeReporter:
    def __init__(
        self, client: Client, clock: Clock, facts: NodeFacts, events: NodeEvents | None = None
    ) -> None:
        self._client = client
        self._clock = clock
        self._events = events
        self._conditions: list[Object] = []
        self._extended: dict[str, str | None] = {}
        self._due = asyncio.Event()
        self._shown: Object = {"metadata": {"name": facts.name, "labels": node_labels(facts)}}
        self.facts = facts

    @property
    def node(self) -> Object:
        """The Node as the API last showed it, before that as it is to be; with what it has to give: the API
        may not have that yet.
        """
        shown = self._shown or new_node(self.facts, self._clock.now())
        status = shown.get("status") or {}
        own = allocatable(self.facts.machine, self.facts.kubelet)
        extended = {name: text for name, text in (status.get("allocatable") or {}).items() if "/" in name}
        return {**shown, "status": {**status, "allocatable": {**own, **extended}}}

    @property
    def enforced(self) -> dict[str, str]:
        """What all pods together may use at most."""
        return enforced(self.facts.machine, self.facts.kubelet)

    async def read(self) -> None:
        """Ask the API for the Node now. Where it does not answer, what is known stays."""
        try:
            self._shown = await self._client.get(NODES, self.facts.name)
        except (ConnectionLost, ApiError) as error:
            logger.debug("the node cannot be read: %s", error)

    def change(self, **facts: Any) -> None:
        """Some facts (fields of NodeFacts) are new: they are reported at once, if they differ."""
        fresh = replace(self.facts, **facts)
        if fresh != self.facts:
            if fresh.problem != self.facts.problem:
                logger.info("node %s is %s", fresh.name, fresh.problem or "ready")
            self._tell(self.facts, fresh)
            self.facts = fresh
            self._due.set()

    def _tell(self, before: NodeFacts, after: NodeFacts) -> None:
        """The events by which people see it."""
        states = [
            pressure_state(kind, after.pressures)[0].replace("Kubelet", "Node")
            for kind in sorted(before.pressures ^ after.pressures)
        ]
        if bool(before.problem) != bool(after.problem):
            states.append("NodeNotReady" if after.problem else "NodeReady")
        for state in states:
            if self._events is not None:
                self._events.normal(state, f"Node {after.name} status is now: {state}")

    async def register(self) -> Object:
        """Create the Node, or bring its labels up to date; waits for the server. Returns the Node."""
        backoff = Backoff(initial=0.05, factor=1.5, limit=2)
        while True:
            try:
                return await self._register()
            except (ConnectionLost, ApiError) as error:
                logger.info("node %s cannot be registered yet: %s", self.facts.name, error)
                await self._clock.sleep(backoff.next())

    async def _register(self) -> Object:
        facts = self.facts
        try:
            node = await self._client.create(NODES, new_node(facts, self._clock.now()))
            logger.info("registered node %s", facts.name)
        except AlreadyExists:
            node = await self._client.get(NODES, facts.name)
            wanted = node_labels(facts)
            if any(labels(node).get(key) != value for key, value in wanted.items()):
                node = await self._client.patch(NODES, facts.name, {"metadata": {"labels": wanted}})
        self._conditions = (node.get("status") or {}).get("conditions") or []
        self._shown = node
        self._due.set()
        return node

    def overruled(self, kind: str, node: Object, _: Object | None) -> None:
        """For an informer of the node: taken for dead by the control plane, it reports at once. So it does
        when others give it resources: it offers them.
        """
        if kind != "DELETED":
            self._shown = node
        ready = conditions.find(node, "Ready") or {}
        if kind != "DELETED" and ready.get("status") == "Unknown":
            self._conditions = node["status"]["conditions"]
            self._due.set()
        self._extended = unfollowed(node) if kind != "DELETED" else {}
        if self._extended:
            self._due.set()

    async def run(self) -> None:
        """Report whatever is due, for ever."""
        while True:
            await self._due.wait()
            self._due.clear()
            await self._report_until_done()

    async def beat(self) -> None:
        """Make a report due every five minutes."""
        while True:
            await self._clock.sleep(REPORT_EVERY)
            self._due.set()

    async def _report_until_done(self) -> None:
        backoff = Backoff(initial=0.05, factor=2, limit=5)
        while True:
            try:
                await self._report()
            except NotFound:
                logger.warning("node %s is not in the API: restart the agent to register it", self.facts.name)
            except (ConnectionLost, ApiError) as error:
                logger.debug("the node's status cannot be reported: %s", error)
                await self._clock.sleep(backoff.next())
                continue
            return

    async def _report(self) -> None:
        node = await self._client.patch(
            NODES,
            self.facts.name,
            {"status": node_status(self.facts, self._conditions, self._clock.now(), self._extended)},
            subresource="status",
            content_type=STRATEGIC_PATCH,
        )
        self._shown = node
        self._conditions = (node.get("status") or {}).get("conditions") or []
