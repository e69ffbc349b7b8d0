"""One try of a container's probe: exec, httpGet, tcpSocket or grpc. Thresholds and timing are `probing`'s."""

from typing import NamedTuple

from kubeling.objects.meta import Object
from runtime.container_runtime import ContainerRuntime
from runtime.errors import RuntimeServiceError, RuntimeTimeout
from runtime.pods.grpc_health import grpc_health
from runtime.pods.http_get import HttpFailed, http_get, port_number, tcp_open

LONGEST_OUTPUT = 10 * 1024


class Outcome(NamedTuple):
    """`success` is None when the probe itself could not be carried out, which counts as nothing."""

    success: bool | None
    output: str = ""


async def run_probe(
    runtime: ContainerRuntime, probe: Object, container: Object, container_id: str, host: str
) -> Outcome:
    timeout = float(probe.get("timeoutSeconds") or 1)
    if "exec" in probe:
        return await _exec(runtime, container_id, probe["exec"].get("command") or [], timeout)
    try:
        if "httpGet" in probe:
            await http_get(probe["httpGet"], container, host, timeout=timeout)
        elif "tcpSocket" in probe:
            action = probe["tcpSocket"]
            port = port_number(action["port"], container)
            await tcp_open(action.get("host") or host, port, timeout=timeout)
        elif "grpc" in probe:
            await grpc_health(
                host, probe["grpc"]["port"], probe["grpc"].get("service") or "", timeout=timeout
            )
    except HttpFailed as error:
        return Outcome(False, str(error))
    return Outcome(True)


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
