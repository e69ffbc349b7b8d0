"""/logs/: the node's log directory as a file server shows it, listings and files, and nothing outside of it.

What a path leads to is asked of the kernel once it is held, so links that lead out, whenever they are made,
lead nowhere.
"""

import asyncio
import html
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from runtime.node.api.errors import HttpError

LOGS = Path("/var/log")
_PIECE = 256 * 1024
_SNIFFED = 512
_LISTING = '<!doctype html>\n<meta name="viewport" content="width=device-width">\n<pre>\n'


class LogFiles:
    def __init__(self, root: Path = LOGS) -> None:
        self._root = root

    async def __call__(self, request: web.BaseRequest, *parts: str) -> web.StreamResponse:
        """Raises HttpError."""
        with self._opened(parts) as (file, is_directory):
            slash = request.rel_url.raw_path.endswith("/")
            if is_directory and not slash:
                return _moved(f"{quote(parts[-1])}/" if parts else "logs/")
            if not is_directory and slash:
                return _moved(f"../{quote(parts[-1])}")
            if is_directory:
                text = await asyncio.to_thread(_listing, file)
                return web.Response(text=text, content_type="text/html", charset="utf-8")
            return await _sent(request, file)

    @contextmanager
    def _opened(self, parts: Sequence[str]) -> Iterator[tuple[int, bool]]:
        """A descriptor of what lies there, and whether it is a directory."""
        if any(part in ("", ".", "..") or "/" in part or "\0" in part for part in parts):
            raise _not_found()
        try:
            place = os.open(self._root.joinpath(*parts), os.O_PATH | os.O_CLOEXEC)
        except OSError as error:
            raise _refused(error) from error
        try:
            mode = os.fstat(place).st_mode
            if not self._is_inside(place) or not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise _not_found()
            with _readable(place) as file:
                yield file, stat.S_ISDIR(mode)
        finally:
            os.close(place)

    def _is_inside(self, place: int) -> bool:
        return Path(os.readlink(_at(place))).is_relative_to(self._root.resolve())


def _at(place: int) -> str:
    return f"/proc/self/fd/{place}"


@contextmanager
def _readable(place: int) -> Iterator[int]:
    """The same opened for reading. Devices and pipes never come here: to open one may be to do something."""
    try:
        file = os.open(_at(place), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _refused(error) from error
    try:
        yield file
    finally:
        os.close(file)


def _listing(directory: int) -> str:
    with os.scandir(directory) as entries:
        names = sorted(entry.name + ("/" if entry.is_dir(follow_symlinks=False) else "") for entry in entries)
    lines = [f'<a href="{html.escape(quote(name))}">{html.escape(name)}</a>\n' for name in names]
    return _LISTING + "".join(lines) + "</pre>\n"


async def _sent(request: web.BaseRequest, file: int) -> web.StreamResponse:
    """As long as the file was when it was opened: one that grows has no end."""
    left = os.fstat(file).st_size
    piece = await asyncio.to_thread(os.read, file, min(_PIECE, left))
    response = web.StreamResponse(headers={"Content-Type": _content_type(piece[:_SNIFFED])})
    response.content_length = left
    await response.prepare(request)
    while piece and request.method != "HEAD":
        await response.write(piece)
        left -= len(piece)
        piece = await asyncio.to_thread(os.read, file, min(_PIECE, left)) if left else b""
    if left and request.method != "HEAD":
        raise ConnectionError("the file was cut while it was read")
    await response.write_eof()
    return response


def _content_type(beginning: bytes) -> str:
    is_text = not any(byte < 0x20 and byte not in b"\t\n\f\r\x1b" for byte in beginning)
    return "text/plain; charset=utf-8" if is_text else "application/octet-stream"


def _moved(where: str) -> web.Response:
    return web.Response(status=HTTPStatus.MOVED_PERMANENTLY, headers={"Location": where})


def _not_found() -> HttpError:
    return HttpError(HTTPStatus.NOT_FOUND, "404 page not found")


def _refused(error: OSError) -> HttpError:
    if isinstance(error, PermissionError):
        return HttpError(HTTPStatus.FORBIDDEN, "403 Forbidden")
    return _not_found()
