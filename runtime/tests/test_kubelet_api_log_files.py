"""/logs/: what is listed and sent, and that nothing outside of the directory is."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from runtime.node.api.gate import MastersOnly
from runtime.node.api.handler import Requests
from runtime.node.api.listener import Listener, ListenSettings
from runtime.node.api.log_files import LogFiles
from runtime.node.api.routes import ANY, Route
from runtime.tests.certificates import TestAuthority
from runtime.tests.test_kubelet_api_handler import MASTERS, session


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    authority = TestAuthority(tmp_path)
    root = tmp_path / "log"
    (root / "sub").mkdir(parents=True)
    (root / "sys.log").write_text("one\ntwo\n")
    (root / "bin").write_bytes(b"\0\1\2" * 200_000)
    (root / "sub" / "a b.log").write_text("inner\n")
    (root / "inside").symlink_to(root / "sub" / "a b.log")
    (root / "outside").symlink_to(tmp_path / "secret")
    (root / "up").symlink_to("..")
    (tmp_path / "secret").write_text("secret")
    os.mkfifo(root / "pipe")
    pair = authority.issue("node")
    settings = ListenSettings(
        host="127.0.0.1", port=0, certificate=pair.certificate, key=pair.key, client_ca=authority.certificate
    )
    routes = {"logs": [Route(("GET", "HEAD"), ANY, LogFiles(root))]}
    listener = Listener(settings, Requests(routes, MastersOnly()))
    await listener.start()
    async with session(listener, authority.client(authority.issue("server", MASTERS))) as client:
        yield client
    await listener.stop()


async def test_a_listing(client: aiohttp.ClientSession) -> None:
    async with client.get("/logs/") as answer:
        text = await answer.text()
        assert answer.content_type == "text/html"
    assert '<a href="sub/">sub/</a>\n<a href="sys.log">sys.log</a>' in text
    async with client.get("/logs/sub/") as answer:
        assert '<a href="a%20b.log">a b.log</a>' in await answer.text()


@pytest.mark.parametrize(
    ("path", "text"),
    [("/logs/sys.log", "one\ntwo\n"), ("/logs/sub/a%20b.log", "inner\n"), ("/logs/inside", "inner\n")],
    ids=["file", "below", "link"],
)
async def test_a_file(client: aiohttp.ClientSession, path: str, text: str) -> None:
    async with client.get(path) as answer:
        assert (answer.status, await answer.text(), answer.content_type) == (200, text, "text/plain")
    async with client.head(path) as answer:
        assert (answer.status, answer.content_length, await answer.read()) == (200, len(text), b"")


async def test_a_large_binary_file(client: aiohttp.ClientSession) -> None:
    async with client.get("/logs/bin") as answer:
        assert answer.content_type == "application/octet-stream"
        assert len(await answer.read()) == 600_000


@pytest.mark.parametrize(
    "path",
    [
        "/logs/outside",
        "/logs/up/secret",
        "/logs/%2e%2e/secret",
        "/logs/sub/%2e%2e/%2e%2e/secret",
        "/logs/..%2fsecret",
        "/logs/none",
        "/logs/pipe",
        "/logs/up/",
    ],
)
async def test_nothing_outside(client: aiohttp.ClientSession, path: str) -> None:
    from yarl import URL

    base = f"https://127.0.0.1:{client._base_url.port}" if client._base_url is not None else ""
    async with client.get(URL(base + path, encoded=True)) as answer:
        assert answer.status == 404


async def test_directories_end_with_a_slash_and_files_do_not(client: aiohttp.ClientSession) -> None:
    for path, place in (("/logs", "logs/"), ("/logs/sub", "sub/"), ("/logs/sys.log/", "../sys.log")):
        async with client.get(path, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (301, place)
