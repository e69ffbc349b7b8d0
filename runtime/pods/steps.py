"""The named steps of a pod's life on the node, at which a test may hold the agent, to kill it just there.

The workers know nothing of it. What they work with is wrapped, and only where the environment variable
KUBELING_STEPS names a directory:

    DIRECTORY/hold/POD      the step at which the pod of that name is to stop: `after container-started main`
    DIRECTORY/held/POD      made when it has come there; it goes no further for as long as the agent lives
    DIRECTORY/passed/POD    every step that it came to, one a line
"""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from runtime.pods import identity
from runtime.pods.context import NodeContext

STEPS = {
    "volumes.set_up": "volumes-set-up",
    "cgroups.make": "cgroup-made",
    "runtime.run_pod_sandbox": "sandbox-run",
    "puller.ensure": "image-present",
    "runtime.create_container": "container-created",
    "runtime.start_container": "container-started",
    "runtime.exec_sync": "command-run",
    "runtime.stop_container": "container-stopped",
    "runtime.remove_container": "container-removed",
    "client.patch": "status-written",
    "runtime.stop_pod_sandbox": "sandbox-stopped",
    "volumes.tear_down": "volumes-torn-down",
    "cgroups.free": "cgroup-removed",
    "client.delete": "deletion-sent",
    "runtime.remove_pod_sandbox": "sandbox-removed",
    "files.remove": "directories-removed",
}
"""The steps by the verbs of what the workers use."""


def watched(context: NodeContext, directory: Path) -> NodeContext:
    """The same, but pods can be held at each step."""
    steps = _Steps(directory)
    parts = {each.partition(".")[0] for each in STEPS}
    wrapped: dict[str, Any] = {part: _Watched(part, getattr(context, part), steps) for part in parts}
    return dataclasses.replace(context, **wrapped)


class _Watched:
    """Stands before a part: what is no step goes straight through."""

    def __init__(self, name: str, part: object, steps: "_Steps") -> None:
        self._name = name
        self._part = part
        self._steps = steps

    def __getattr__(self, verb: str) -> Any:
        method = getattr(self._part, verb)
        full = f"{self._name}.{verb}"
        if full in STEPS or full in _TELLING:
            return partial(self._steps.around, full, method)
        return method


class _Whose(NamedTuple):
    pod: str
    detail: str = ""


_TELLING = ("runtime.container_status", "runtime.pod_sandbox_status")
"""Answers that say whose an id is."""


class _Steps:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, _Whose] = {}
        for name in ("hold", "held", "passed"):
            (directory / name).mkdir(parents=True, exist_ok=True)

    async def around(
        self, verb: str, method: Callable[..., Awaitable[Any]], *given: Any, **named: Any
    ) -> Any:
        whose = self._whose(verb, given, named) if verb in STEPS else None
        await self._reach("before", verb, whose)
        answer = await method(*given, **named)
        self._learn(verb, given, answer)
        await self._reach("after", verb, whose)
        return answer

    async def _reach(self, when: str, verb: str, whose: _Whose | None) -> None:
        if whose is None:
            return
        step = " ".join(filter(None, (when, STEPS[verb], whose.detail)))
        with (self._directory / "passed" / whose.pod).open("a") as passed:
            passed.write(f"{step}\n")
        hold = self._directory / "hold" / whose.pod
        if hold.exists() and hold.read_text() == step:
            (self._directory / "held" / whose.pod).touch()
            await asyncio.Event().wait()

    def _whose(self, verb: str, given: tuple[Any, ...], named: dict[str, Any]) -> _Whose | None:
        """The pod that a call is about; None when it is about none."""
        match verb:
            case "volumes.set_up" | "cgroups.make":
                return _Whose(given[0]["metadata"]["name"])
            case "runtime.run_pod_sandbox":
                self._known[given[0].metadata.uid] = _Whose(given[0].metadata.name)
                return self._known[given[0].metadata.uid]
            case "puller.ensure":
                known = self._known.get(given[0].key)
                return known and known._replace(detail=given[0].container)
            case "runtime.create_container":
                return _Whose(given[2].metadata.name, given[1].metadata.name)
            case "volumes.tear_down" | "files.remove":
                return _Whose(given[0].pod.name) if given[0].pod.name else None
            case "client.patch" | "client.delete":
                status = (given[2].get("status") or {}) if verb == "client.patch" else {}
                return _Whose(given[1], status.get("phase", ""))
            case "runtime.exec_sync":
                known = self._known.get(given[0])
                return known and known._replace(detail=f"{known.detail} {' '.join(given[1])}")
        return self._known.get(given[0])

    def _learn(self, verb: str, given: tuple[Any, ...], answer: Any) -> None:
        match verb:
            case "runtime.run_pod_sandbox":
                self._known[answer] = _Whose(given[0].metadata.name)
            case "runtime.create_container":
                self._known[answer] = _Whose(given[2].metadata.name, given[1].metadata.name)
            case "runtime.container_status" | "runtime.pod_sandbox_status":
                labels = answer.labels
                pod, container = labels.get(identity.POD_NAME, ""), labels.get(identity.CONTAINER_NAME, "")
                self._known[answer.id] = _Whose(pod, container)
                self._known[labels.get(identity.POD_UID, "")] = _Whose(pod)
