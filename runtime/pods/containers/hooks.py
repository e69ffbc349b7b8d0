"""Lifecycle hooks of containers: run one handler (exec, httpGet, sleep) to its end.

A tcpSocket handler fails, as with the kubelet: the field is there for old manifests only.
"""

import asyncio

from kubeling.objects.meta import Object
from kubeling.objects.tasks import Tasks
from runtime.errors import RuntimeServiceError
from runtime.pods.http_get import HttpFailed, HttpRefused
from runtime.pods.work import PodWork

HTTP_TIMEOUT = 60.0
"""Seconds that an httpGet hook may take; exec and sleep are limited by the container's grace period."""
AGENT = "kube-lifecycle/1.37"
NO_HTTPS = "server gave HTTP response to HTTPS client"


class HookFailed(Exception):
    """The handler failed; the text says how, as the kubelet says it."""


async def run_hook(work: PodWork, container: Object, container_id: str, hook: Object) -> None:
    """Raises: HookFailed."""
    kind, subject = _subject(hook)
    try:
        if "exec" in hook:
            await _exec(work, container_id, hook["exec"].get("command") or [])
        elif "httpGet" in hook:
            await _http_get(work, container, hook["httpGet"])
        elif "sleep" in hook:
            await work.context.clock.sleep(hook["sleep"].get("seconds", 0))
        else:
            raise HookFailed(f"Cannot run handler: invalid handler: {kind}")
    except (RuntimeServiceError, HttpFailed, _CommandFailed) as error:
        place = f'for Container "{container["name"]}" in Pod "{work.identity}"'
        said = f', message: "{error.output}"' if isinstance(error, _CommandFailed) else ""
        raise HookFailed(
            f"{kind} lifecycle hook ({subject}) {place} failed - error: {error}{said}"
        ) from error


async def run_hook_within(
    work: PodWork, container: Object, container_id: str, hook: Object, *, seconds: float
) -> None:
    """Like `run_hook`, given up after so many seconds, which is no failure.

    Raises:
        HookFailed: it failed.
    """
    async with Tasks("hook") as tasks:
        patience = tasks.start(work.context.clock.sleep(seconds), name="patience")
        running = tasks.start(_outcome(work, container, container_id, hook), name="run")
        await asyncio.wait([patience, running], return_when=asyncio.FIRST_COMPLETED)
        failure = running.result() if running.done() else None
    if failure is not None:
        raise failure


class _CommandFailed(Exception):
    def __init__(self, exit_code: int, output: str) -> None:
        super().__init__(f"command terminated with exit code {exit_code}")
        self.output = output


def _subject(hook: Object) -> tuple[str, str]:
    """What the hook is and does, for messages."""
    if "exec" in hook:
        return "Exec", f"[{' '.join(hook['exec'].get('command') or [])}]"
    if "httpGet" in hook:
        return "HTTP", str(hook["httpGet"].get("path") or "")
    if "sleep" in hook:
        return "Sleep", str(hook["sleep"].get("seconds", 0))
    return ", ".join(sorted(hook)), ""


async def _outcome(work: PodWork, container: Object, container_id: str, hook: Object) -> HookFailed | None:
    try:
        await run_hook(work, container, container_id, hook)
    except HookFailed as error:
        return error
    return None


async def _exec(work: PodWork, container_id: str, command: list[str]) -> None:
    result = await work.context.runtime.exec_sync(container_id, command, timeout=0)
    if result.exit_code:
        raise _CommandFailed(result.exit_code, (result.stdout + result.stderr).decode(errors="replace"))


async def _http_get(work: PodWork, container: Object, action: Object) -> None:
    """Any answer will do. A server that speaks no TLS is asked again without it, as older hooks expect."""
    headers: list[Object] = action.get("httpHeaders") or []
    named = {**action, "httpHeaders": [{"name": "User-Agent", "value": AGENT}, *headers]}
    try:
        await work.context.http_get(named, container, work.host, timeout=HTTP_TIMEOUT)
    except HttpRefused:
        return
    except HttpFailed as error:
        if (action.get("scheme") or "").upper() != "HTTPS" or NO_HTTPS not in str(error):
            raise
        kept = [each for each in headers if each["name"].lower() != "authorization"]
        plain = {**action, "scheme": "HTTP", "httpHeaders": kept}
        await _http_get(work, container, plain)
        work.events.warning(
            "LifecycleHTTPFallback",
            f"request to HTTPS lifecycle hook {action.get('host') or work.host} got HTTP response, "
            "retry with HTTP succeeded",
            container=container["name"],
        )
