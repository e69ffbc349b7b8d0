"""One try of a container's probe: exec, httpGet, tcpSocket or grpc. Thresholds and timing are `probing`'s."""

from typing import NamedTuple

from kubeling.objects.expansion import expand
from kubeling.objects.meta import Object
from runtime.container_runtime import ContainerRuntime
from runtime.errors import RuntimeServiceError, RuntimeTimeout
from runtime.pods.http_get import HttpFailed, NoSuchPort, http_get, port_number, tcp_open
from runtime.pods.probes.grpc_health import grpc_health

LONGEST_OUTPUT = 10 * 1024
TRIES = 3


class Outcome(NamedTuple):
    """`success` is None when the probe itself could not be carried out, which counts as nothing.

    A success with a warning has gone well, but not as it was meant to.
    """

    success: bool | None
    output: str = ""
    warning: bool = False


async def run_probe(
    runtime: ContainerRuntime, probe: Object, container: Object, container_id: str, host: str
) -> Outcome:
    """What cannot be carried out is tried again, three times in all."""
    for _ in range(TRIES):
        outcome = await _run(runtime, probe, container, container_id, host)
        if outcome.success is not None:
            break
    return outcome


async def _run(
    runtime: ContainerRuntime, probe: Object, container: Object, container_id: str, host: str
) -> Outcome:
    timeout = float(probe.get("timeoutSeconds") or 1)
    if "exec" in probe:
        return await _exec(runtime, container_id, _command(probe["exec"], container), timeout)
    try:
        if "httpGet" in probe:
            return await _http(probe["httpGet"], container, host, timeout)
        if "tcpSocket" in probe:
            action = probe["tcpSocket"]
            port = port_number(action["port"], container)
            await tcp_open(action.get("host") or host, port, timeout=timeout)
        elif "grpc" in probe:
            await grpc_health(
                host, probe["grpc"]["port"], probe["grpc"].get("service") or "", timeout=timeout
            )
        else:
            return Outcome(None, f"missing probe handler for container {container['name']}")
    except NoSuchPort as error:
        return Outcome(None, str(error))
    except HttpFailed as error:
        return Outcome(False, str(error))
    return Outcome(True)


async def _http(action: Object, container: Object, host: str, timeout: float) -> Outcome:
    answer = await http_get(action, container, host, timeout=timeout)
    if answer.is_redirect:
        return Outcome(True, f"Probe terminated redirects, Response body: {answer.body}", warning=True)
    return Outcome(True)


def _command(action: Object, container: Object) -> list[str]:
    """With $(NAME) replaced by the container's own variables that have a plain value."""
    values = {each["name"]: each.get("value") or "" for each in container.get("env") or []}
    return [expand(part, values) for part in action.get("command") or []]


async def _exec(runtime: ContainerRuntime, container_id: str, command: list[str], timeout: float) -> Outcome:
    try:
        result = await runtime.exec_sync(container_id, command, timeout=timeout)
    except RuntimeTimeout:
        text = " ".join(command)
        return Outcome(False, f'command timed out: "{text}" timed out after {timeout:g}s')
    except RuntimeServiceError as error:
        return Outcome(None, str(error))
    output = (result.stdout + result.stderr)[:LONGEST_OUTPUT].decode(errors="replace")
    return Outcome(result.exit_code == 0, output)
