"""`kubeling image`: brings images to the node without a registry, and lists those that it has.

The archive goes through the API server's proxy to the node agent, so it works for any node of the cluster.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer

from kubeling.cli import console
from kubeling.cli.options import HomeOption, require_running
from kubeling.cluster.apiclient import ApiClient
from kubeling.cluster.errors import ApiFailed, ClusterError, UsageError
from kubeling.cluster.home import Home, locate

CHUNK = 1024 * 1024
IMPORT_TIMEOUT = 600.0

app = typer.Typer(help="Load images into the node, and list them.", no_args_is_help=True)

NodeOption = Annotated[
    str | None,
    typer.Option("--node", metavar="NAME", show_default="the one of this machine", help="The node."),
]


@app.command()
def load(
    archives: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="Archives as `docker save` writes; - for standard input.",
        ),
    ],
    home: HomeOption = None,
    node: NodeOption = None,
) -> None:
    """Load images from archives (docker or OCI format, compressed or not)."""
    for archive in archives:
        _require_file(archive)
    client, path = _images(locate(home), node)
    for archive in archives:
        for name in _names(_send(client, path, archive)):
            console.say(f"Loaded {name}")


@app.command("list")
def list_images(home: HomeOption = None, node: NodeOption = None) -> None:
    """List the images that the node has."""
    client, path = _images(locate(home), node)
    rows = [_row(image) for image in _items(client.get(path))]
    for name, digest, size in [("IMAGE", "ID", "SIZE"), *sorted(rows)]:
        console.say(f"{name:<60} {digest:<14} {size:>10}")


def _images(home: Home, node: str | None) -> tuple[ApiClient, str]:
    settings, _ = require_running(home)
    if node is None and not settings.node:
        raise ClusterError(
            "this cluster was started without a node",
            hint="start it without --no-node, or name a node by --node",
        )
    client = ApiClient(home, settings, timeout=IMPORT_TIMEOUT)
    return client, f"/api/v1/nodes/{node or settings.node_name}/proxy/images"


def _send(client: ApiClient, path: str, archive: Path) -> Any:
    name = "standard input" if str(archive) == "-" else archive.name
    headers = {"Content-Type": "application/x-tar"}
    with _opened(archive) as file, console.progress(f"Loading {name}", _size_of(file)) as advance:
        if size := _size_of(file):  # else in chunks: a pipe tells no size
            headers["Content-Length"] = str(size)
        try:
            return client.request("POST", path, body=_chunks(file, advance), headers=headers)
        except ApiFailed as error:
            raise ApiFailed(f"{archive}: {error.message}", hint=error.hint) from error


def _require_file(archive: Path) -> None:
    """Raises UsageError before anything is sent."""
    if str(archive) == "-":
        return
    try:
        if stat.S_ISDIR(archive.stat().st_mode):
            raise UsageError(f"{archive} is a directory", hint="name an archive as `docker save` writes")
    except OSError as error:
        raise UsageError(f"{archive} cannot be read: {error.strerror}") from error


def _opened(archive: Path) -> BinaryIO:
    if str(archive) == "-":
        return os.fdopen(os.dup(0), "rb")
    try:
        return archive.open("rb")
    except OSError as error:
        raise UsageError(f"{archive} cannot be read: {error.strerror}") from error


def _size_of(file: BinaryIO) -> int | None:
    """The size of a regular file; None for what only can be read to its end."""
    status = os.fstat(file.fileno())
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _chunks(file: BinaryIO, advance: console.Advance) -> Iterator[bytes]:
    while data := file.read(CHUNK):
        advance(len(data))
        yield data


def _items(answer: Any) -> list[Any]:
    if not isinstance(answer, dict) or not isinstance(answer.get("images"), list):
        raise ClusterError(
            "the node's answer makes no sense", hint="do server and node agent run one version?"
        )
    return list(answer["images"])


def _names(answer: Any) -> list[str]:
    return [name if isinstance(name, str) else _row(name)[0] for name in _items(answer)]


def _row(image: dict[str, Any]) -> tuple[str, str, str]:
    tags = image.get("repoTags") or image.get("names") or ["<none>"]
    digest = str(image.get("id", "")).removeprefix("sha256:")[:12]
    return ", ".join(tags), digest, _size(int(image.get("size") or image.get("sizeBytes") or 0))


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
