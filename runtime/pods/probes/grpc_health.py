"""The gRPC health check (`grpc.health.v1.Health/Check`), without generated code: two fields are all."""

import asyncio
from typing import Any

from runtime.pods.http_get import AGENT, HttpFailed, bracketed

_METHOD = "/grpc.health.v1.Health/Check"
_SERVING = "SERVING"
_STATUSES = ("UNKNOWN", _SERVING, "NOT_SERVING", "SERVICE_UNKNOWN")
_OPTIONS = (
    ("grpc.primary_user_agent", AGENT),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),  # each try has a connection of its own
    ("grpc.initial_reconnect_backoff_ms", 100),
)


async def grpc_health(host: str, port: int, service: str, *, timeout: float) -> None:
    """As the kubelet does, it goes on trying to connect until the time is over.

    Raises:
        HttpFailed
    """
    import grpc.aio

    address = f"{bracketed(host)}:{port}"
    clock = asyncio.get_running_loop()
    end = clock.time() + timeout
    async with grpc.aio.insecure_channel(address, options=_OPTIONS) as channel:
        try:
            await asyncio.wait_for(channel.channel_ready(), timeout)
        except TimeoutError as error:
            why = f'timeout: failed to connect service "{address}" within {timeout:g}s'
            raise HttpFailed(f"{why}: context deadline exceeded") from error
        check: Any = channel.unary_unary(_METHOD)
        try:
            answer: bytes = await check(_request(service), timeout=max(end - clock.time(), 0.001))
        except grpc.aio.AioRpcError as error:
            raise HttpFailed(_failure(error.code().name, error.details() or "", timeout)) from error
    status = _status(answer)
    if status != _SERVING:
        raise HttpFailed(f'service unhealthy (responded with "{status}")')


def _failure(code: str, details: str, timeout: float) -> str:
    if code == "DEADLINE_EXCEEDED":
        return f"timeout: health rpc did not complete within {timeout:g}s"
    if code == "UNIMPLEMENTED":
        return (
            "error: this server does not implement the grpc health protocol (grpc.health.v1.Health): "
            f"{details}"
        )
    spelled = "".join(part.capitalize() for part in code.split("_"))
    return f"error: health rpc probe failed: rpc error: code = {spelled} desc = {details}"


def _request(service: str) -> bytes:
    """A HealthCheckRequest: field 1 is the service's name."""
    name = service.encode()
    return b"\x0a" + _varint(len(name)) + name if name else b""


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*encoded, number])


def _status(answer: bytes) -> str:
    """Of a HealthCheckResponse, whose field 1 is a number that is left out when it is 0."""
    number = answer[1] if len(answer) > 1 and answer[0] == 0x08 else 0
    return _STATUSES[number] if number < len(_STATUSES) else str(number)
