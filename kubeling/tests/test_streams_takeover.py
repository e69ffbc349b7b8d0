"""Taking a connection over from aiohttp: plain and TLS, asyncio and uvloop, none left behind."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvloop
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kubeling.streams.connection import ConnectionServer, connection_of
from kubeling.streams.takeover import Takeover

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\n\r\n"
REQUEST = (
    b"POST /exec HTTP/1.1\r\nHost: x\r\nUpgrade: SPDY/3.1\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n"
)
CONTENT = bytes(range(256)) * 4000


async def echo(request: web.BaseRequest) -> Takeover:
    client = Takeover(request)
    client.writer.write(SWITCH)
    try:
        while piece := await client.reader.read(65536):
            client.writer.write(piece)
            await client.writer.drain()
            if piece.endswith(b"END"):
                break
    finally:
        await client.close()
    return client


@asynccontextmanager
async def serving(
    handler: Callable[[web.BaseRequest], Awaitable[object]], tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, ConnectionServer]]:
    server = ConnectionServer(handler, access_log=None)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield runner.addresses[0][1], server
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("encrypted", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize(
    "loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
def test_bytes_pass_unchanged_and_aiohttp_forgets_the_connection(
    tmp_path: Path, encrypted: bool, loop_factory: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    server_tls, client_tls = _contexts(tmp_path) if encrypted else (None, None)
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        runner.run(asyncio.wait_for(_converse(server_tls, client_tls), 20))


async def _converse(server_tls: ssl.SSLContext | None, client_tls: ssl.SSLContext | None) -> None:
    async with serving(echo, server_tls) as (port, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client_tls)
        writer.write(REQUEST)
        assert await reader.readexactly(len(SWITCH)) == SWITCH
        writer.write(CONTENT + b"END")
        received, _ = await asyncio.gather(reader.readexactly(len(CONTENT) + 3), writer.drain())
        assert received == CONTENT + b"END"
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        while server.connections:  # noqa: ASYNC110 - aiohttp tells nobody
            await asyncio.sleep(0.01)


async def test_a_client_that_goes_ends_a_handler_that_waits() -> None:
    ended = asyncio.Event()

    async def wait(request: web.BaseRequest) -> web.Response:
        with connection_of(request).ending(ended.set):
            await ended.wait()
        return web.Response()

    async with serving(wait) as (port, _):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST)
        await writer.drain()
        await asyncio.sleep(0)
        writer.transport.abort()
        await asyncio.wait_for(ended.wait(), 5)


def _contexts(directory: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(
        issuer_name=name,
        subject_name=name,
        public_key=key.public_key(),
        serial_number=1,
        not_valid_before=now - datetime.timedelta(hours=1),
        not_valid_after=now + datetime.timedelta(hours=1),
    )
    certificate = builder.sign(key, hashes.SHA256())
    file = directory / "server.pem"
    file.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    return server, client
