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
    "set_up": "volumes-set-up",
    "run_pod_sandbox": "sandbox-run",
    "ensure": "image-present",
    "create_container": "container-created",
    "start_container": "container-started",
    "exec_sync": "command-run",
    "stop_container": "container-stopped",
    "remove_container": "container-removed",
    "patch": "status-written",
    "stop_pod_sandbox": "sandbox-stopped",
    "tear_down": "volumes-torn-down",
    "free": "cgroup-removed",
    "delete": "deletion-sent",
    "remove_pod_sandbox": "sandbox-removed",
    "remove": "directories-removed",
}
"""The steps by the verbs of the runtime, the volumes, the files, the image puller and the API's client."""


def watched(context: NodeContext, directory: Path) -> NodeContext:
    """The same, but pods can be held at each step."""
    steps = _Steps(directory)
    parts = ("runtime", "volumes", "files", "cgroups", "puller", "client")
    wrapped: dict[str, Any] = {part: _Watched(getattr(context, part), steps) for part in parts}
    return dataclasses.replace(context, **wrapped)


class _Watched:
    """Stands before a part: what is no step goes straight through."""

    def __init__(self, part: object, steps: "_Steps") -> None:
        self._part = part
        self._steps = steps

    def __getattr__(self, verb: str) -> Any:
        method = getattr(self._part, verb)
        if verb in STEPS or verb in _TELLING:
            return partial(self._steps.around, verb, method)
        return method


class _Whose(NamedTuple):
    pod: str
    detail: str = ""


_TELLING = ("container_status", "pod_sandbox_status")
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
            case "set_up":
                return _Whose(given[0]["metadata"]["name"])
            case "run_pod_sandbox":
                self._known[given[0].metadata.uid] = _Whose(given[0].metadata.name)
                return self._known[given[0].metadata.uid]
            case "ensure":
                known = self._known.get(given[0].key)
                return known and known._replace(detail=given[0].container)
            case "create_container":
                return _Whose(given[2].metadata.name, given[1].metadata.name)
            case "tear_down" | "remove":
                return _Whose(given[0].pod.name) if given[0].pod.name else None
            case "patch" | "delete":
                phase = (given[2].get("status") or {}).get("phase", "") if verb == "patch" else ""
                return _Whose(given[1], phase)
            case "exec_sync":
                known = self._known.get(given[0])
                return known and known._replace(detail=f"{known.detail} {' '.join(given[1])}")
        return self._known.get(given[0])

    def _learn(self, verb: str, given: tuple[Any, ...], answer: Any) -> None:
        match verb:
            case "run_pod_sandbox":
                self._known[answer] = _Whose(given[0].metadata.name)
            case "create_container":
                self._known[answer] = _Whose(given[2].metadata.name, given[1].metadata.name)
            case "container_status" | "pod_sandbox_status":
                labels = answer.labels
                pod, container = labels.get(identity.POD_NAME, ""), labels.get(identity.CONTAINER_NAME, "")
                self._known[answer.id] = _Whose(pod, container)
                self._known[labels.get(identity.POD_UID, "")] = _Whose(pod)
