"""Lifecycle hooks of containers: run one handler (exec, httpGet, sleep) to its end."""

import asyncio

from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks
from runtime.errors import RuntimeServiceError
from runtime.pods.http_get import HttpFailed
from runtime.pods.work import PodWork

HTTP_TIMEOUT = 60.0
"""Seconds that an httpGet hook may take; exec and sleep are limited by the container's grace period."""


class HookFailed(Exception):
    """The handler failed; the text says how."""


async def run_hook(work: PodWork, container: Object, container_id: str, hook: Object) -> None:
    """Raises: HookFailed."""
    try:
        if "exec" in hook:
            await _exec(work, container_id, hook["exec"].get("command") or [])
        elif "httpGet" in hook:
            await work.context.http_get(hook["httpGet"], container, work.host, timeout=HTTP_TIMEOUT)
        elif "sleep" in hook:
            await work.context.clock.sleep(hook["sleep"].get("seconds", 0))
    except (RuntimeServiceError, HttpFailed) as error:
        raise HookFailed(str(error)) from error


async def run_hook_within(
    work: PodWork, container: Object, container_id: str, hook: Object, *, seconds: float
) -> None:
    """Like `run_hook`, given up after so many seconds.

    Raises:
        HookFailed: it failed or took too long.
    """
    async with Tasks("hook") as tasks:
        patience = tasks.start(work.context.clock.sleep(seconds), name="patience")
        running = tasks.start(_outcome(work, container, container_id, hook), name="run")
        await asyncio.wait([patience, running], return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            raise HookFailed(f"the hook took longer than {seconds:g} s")
        failure = running.result()
    if failure is not None:
        raise failure


async def _outcome(work: PodWork, container: Object, container_id: str, hook: Object) -> HookFailed | None:
    try:
        await run_hook(work, container, container_id, hook)
    except HookFailed as error:
        return error
    return None


async def _exec(work: PodWork, container_id: str, command: list[str]) -> None:
    result = await work.context.runtime.exec_sync(container_id, command, timeout=0)
    if result.exit_code:
        said = (result.stdout + result.stderr).decode(errors="replace")
        raise HookFailed(f"command '{' '.join(command)}' exited with {result.exit_code}: {said}")
