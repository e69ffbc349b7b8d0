"""The gRPC health check (`grpc.health.v1.Health/Check`), without generated code: two fields are all."""

from typing import Any

from runtime.pods.http_get import HttpFailed

_METHOD = "/grpc.health.v1.Health/Check"
_SERVING = b"\x08\x01"
"""A HealthCheckResponse whose status is SERVING."""


async def grpc_health(host: str, port: int, service: str, *, timeout: float) -> None:
    """Raises: HttpFailed."""
    import grpc.aio

    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    async with grpc.aio.insecure_channel(address) as channel:
        check: Any = channel.unary_unary(_METHOD)
        try:
            answer: bytes = await check(_request(service), timeout=timeout)
        except grpc.aio.AioRpcError as error:
            if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
                raise HttpFailed(f"timeout: health rpc did not complete within {timeout:g}s") from error
            raise HttpFailed(f"error: health rpc failed: {error.details()}") from error
    if not answer.startswith(_SERVING):
        raise HttpFailed('service unhealthy (responded with "NOT_SERVING")')


def _request(service: str) -> bytes:
    """A HealthCheckRequest: field 1 is the service's name, at most 127 bytes of it."""
    name = service.encode()[:127]
    return b"\x0a" + bytes([len(name)]) + name if name else b""
