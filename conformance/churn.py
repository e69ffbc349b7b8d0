"""A writer that churns ConfigMaps, and watchers with the Python client that are cut off at random and resume.

Not here: the verdict (`test_watch_resume.py`).
"""

import random
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import urllib3
from kubernetes import client, watch
from kubernetes.config import new_client_from_config

from conformance.cluster import Cluster

CUTS = ("stop", "socket")
LAST = "last"
"""The name of the object that is written when all is over."""


@dataclass(frozen=True)
class Event:
    type: str
    name: str
    version: int
    data: str


def core(cluster: Cluster) -> Any:
    """A client of its own: threads share none."""
    return client.CoreV1Api(new_client_from_config(str(cluster.kubeconfig)))


@dataclass
class Writer:
    """Creates, changes and deletes; `done` is what was acknowledged, in order (version 0: unknown)."""

    core: Any
    namespace: str
    seed: int
    done: list[Event] = field(default_factory=list)
    _alive: dict[str, int] = field(default_factory=dict)

    def run(self, steps: int) -> None:
        choose = random.Random(self.seed)
        for step in range(steps):
            self._step(choose, f"item-{choose.randrange(8)}", str(step))
        self._create(LAST, "", "on")

    def _step(self, choose: random.Random, name: str, data: str) -> None:
        shown = choose.choice(("on", "off"))
        if name not in self._alive:
            self._create(name, data, shown)
        elif choose.random() < 0.3:
            self.core.delete_namespaced_config_map(name, self.namespace)
            self.done.append(Event("DELETED", name, 0, str(self._alive.pop(name))))
        else:
            patch = {"data": {"step": data}, "metadata": {"labels": {"shown": shown}}}
            self._note("MODIFIED", self.core.patch_namespaced_config_map(name, self.namespace, patch))

    def _create(self, name: str, data: str, shown: str) -> None:
        body = {"metadata": {"name": name, "labels": {"shown": shown}}, "data": {"step": data}}
        self._note("ADDED", self.core.create_namespaced_config_map(self.namespace, body))

    def _note(self, kind: str, written: Any) -> None:
        self._alive[written.metadata.name] = written.data["step"]
        self.done.append(event_of(kind, written))


@dataclass
class Watcher:
    """Notes what it is told, until it is told of the object LAST."""

    core: Any
    namespace: str
    since: str
    seed: int
    selector: str = ""
    told: list[Event] = field(default_factory=list)
    cuts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CUTS, 0))
    failures: list[str] = field(default_factory=list)

    def run(self) -> None:
        choose = random.Random(self.seed)
        for _ in range(1000):
            cut = choose.choice(CUTS)
            if self._watch(cut, after=choose.randrange(1, 12)):
                return
            self.cuts[cut] += 1
        self.failures.append("1000 watches did not see the end")

    def _watch(self, cut: str, *, after: int) -> bool:
        """Whether the end was seen."""
        try:
            return self._follow(watch.Watch(), cut, after)
        except (urllib3.exceptions.HTTPError, OSError):
            return False

    def _follow(self, watcher: Any, cut: str, after: int) -> bool:
        options = {"resource_version": self.since, "timeout_seconds": 1, "label_selector": self.selector}
        stream = watcher.stream(self.core.list_namespaced_config_map, self.namespace, **options)
        for seen, event in enumerate(stream, start=1):
            self.told.append(event_of(event["type"], event["object"]))
            self.since = watcher.resource_version
            if self.told[-1].name == LAST:
                return True
            if seen == after:
                watcher.stop() if cut == "stop" else _cut_off(watcher)
        return False


def event_of(kind: str, found: Any) -> Event:
    metadata = found.metadata
    return Event(kind, metadata.name, int(metadata.resource_version), found.data["step"])


def _cut_off(watcher: Any) -> None:
    """The connection is gone, with all that was on its way."""
    with suppress(OSError):
        watcher._resp.connection.sock.shutdown(socket.SHUT_RDWR)
