"""/images, which is kubeling's own: load image archives into the runtime and list what it has."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import IO, Protocol

from aiohttp import web

from runtime.container_runtime import ContainerRuntime
from runtime.images.compression import require_room
from runtime.images.pause import PAUSE_IMAGE
from runtime.node.api.errors import HttpError

_PIECE = 1024 * 1024
_FOREIGN = (
    "this node's container runtime is not kubeling's own: import the archive with the runtime's own tools,"
    " such as `ctr --address SOCKET --namespace k8s.io images import FILE`"
)


class Loader(Protocol):
    """Imports an archive; see `runtime.images.load.ImageLoader`."""

    async def load(self, archive: Path, *, name: str = "") -> list[str]: ...


class Images:
    """`loader` is None where the runtime is not containerd; archives lie in `scratch` meanwhile."""

    def __init__(self, runtime: ContainerRuntime, loader: Loader | None, scratch: Path) -> None:
        self._runtime = runtime
        self._loader = loader
        self._scratch = scratch

    async def list(self, request: web.BaseRequest) -> web.Response:
        """All images but our own pause image: {"images": [{"names", "id", "size"}]}, sizes in bytes."""
        images = [
            {
                "names": [*image.repo_tags] or [*image.repo_digests],
                "id": image.id,
                "size": image.size,
            }
            for image in await self._runtime.list_images()
            if PAUSE_IMAGE not in image.repo_tags
        ]
        return web.json_response({"images": images})

    async def load(self, request: web.BaseRequest) -> web.Response:
        """Import the archive in the body: {"images": [names]}; a query's `name` is for its only image.

        Raises HttpError, ImageArchiveError.
        """
        if self._loader is None:
            raise HttpError(HTTPStatus.NOT_IMPLEMENTED, _FOREIGN)
        with self._stored() as file:
            async for piece in request.content.iter_chunked(_PIECE):
                require_room(self._scratch)
                file.write(piece)
            names = await self._loader.load(Path(file.name), name=request.query.get("name", ""))
        return web.json_response({"images": names})

    @contextmanager
    def _stored(self) -> Iterator[IO[bytes]]:
        try:
            self._scratch.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._scratch, suffix=".tar", buffering=0) as file:
                yield file
        except ConnectionError:
            raise
        except OSError as error:
            reason = f"the node cannot store the archive: {error.strerror}"
            raise HttpError(HTTPStatus.INSUFFICIENT_STORAGE, reason) from error
