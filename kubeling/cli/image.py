"""`kubeling image`: brings images to the node without a registry, and lists those that it has.

The archive goes through the API server's proxy to the node agent, so it works for any node of the cluster.
"""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO
from urllib.parse import urlencode

import typer

from kubeling.cli import console, tar_stream
from kubeling.cli.options import HomeOption, require_running
from kubeling.cluster.apiclient import ApiClient, node_obstacle
from kubeling.cluster.errors import ApiFailed, ClusterError, UsageError
from kubeling.cluster.home import Home, locate
from kubeling.cluster.settings import Settings

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
            help="What `docker save` writes, or an OCI layout, also a directory; - for standard input.",
        ),
    ],
    home: HomeOption = None,
    node: Annotated[
        str | None, typer.Option("--node", metavar="NAME", show_default="every node", help="The node.")
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="IMAGE", help="The name of the image, instead of what the file says."),
    ] = None,
) -> None:
    """Load images from archives (docker or OCI format, compressed or not)."""
    for archive in archives:
        _require_readable(archive)
    if name and len(archives) > 1:
        raise UsageError("a name is for one image", hint="load one file at a time")
    client, paths = _all_images(locate(home), node)
    if not paths:
        console.note("virtual nodes have every image: there is nothing to load")
    with _kept(archives, len(paths)) as kept:
        for archive, stored in zip(archives, kept, strict=True):
            loaded = [_names(_send(client, path, stored, str(archive), name)) for path in paths]
            for each in sorted({each for names in loaded for each in names}):
                console.say(f"Loaded {each}")


@app.command("list")
def list_images(home: HomeOption = None, node: NodeOption = None) -> None:
    """List the images that the node has."""
    settings, client = _connected(locate(home), node)
    path = _path(node or settings.node_name)
    rows = [_row(image) for image in _items(client.get(path))]
    for name, digest, size in [("IMAGE", "ID", "SIZE"), *sorted(rows)]:
        console.say(f"{name:<60} {digest:<14} {size:>10}")


def _connected(home: Home, node: str | None) -> tuple[Settings, ApiClient]:
    settings, _ = require_running(home)
    if node is None and not settings.node:
        raise ClusterError(
            "this cluster was started without a node",
            hint="start it without --no-node, or name a node by --node",
        )
    return settings, ApiClient(home, settings, timeout=IMPORT_TIMEOUT)


def _path(node: str) -> str:
    return f"/api/v1/nodes/{node}/proxy/images"


def _all_images(home: Home, node: str | None) -> tuple[ApiClient, list[str]]:
    """The paths of all nodes that run containers, or of one; none where all nodes are virtual."""
    settings, _ = require_running(home)
    if node is not None or not settings.virtual_nodes:
        _, client = _connected(home, node)
    else:
        client = ApiClient(home, settings, timeout=IMPORT_TIMEOUT)
    if node is not None:
        return client, [_path(node)]
    own = {settings.node_name} if settings.node else set()
    others = {_node_name(each) for each in client.get("/api/v1/nodes")["items"] if _takes_images(each)}
    return client, [_path(each) for each in sorted(own | others)]


def _node_name(node: Any) -> str:
    return str(node["metadata"]["name"])


def _takes_images(node: Any) -> bool:
    """Whether it is ready and runs containers."""
    version = node.get("status", {}).get("nodeInfo", {}).get("containerRuntimeVersion", "")
    return version.startswith("containerd:") and not node_obstacle(node)


@contextmanager
def _kept(archives: list[Path], times: int) -> Iterator[list[Path]]:
    """The archives, such that each can be read so many times: standard input is stored."""
    if times < 2 or Path("-") not in archives:
        yield archives
        return
    with tempfile.NamedTemporaryFile(suffix=".tar") as stored:
        with _opened(Path("-")) as given:
            shutil.copyfileobj(given, stored, CHUNK)
        stored.flush()
        yield [Path(stored.name) if str(archive) == "-" else archive for archive in archives]


def _send(client: ApiClient, path: str, archive: Path, shown: str, name: str | None) -> Any:
    title = "standard input" if shown == "-" else Path(shown).name
    headers = {"Content-Type": "application/x-tar"}
    target = f"{path}?{urlencode({'name': name})}" if name else path
    with _source(archive) as (pieces, size), console.progress(f"Loading {title}", size) as advance:
        if size:  # else in chunks: a pipe tells no size
            headers["Content-Length"] = str(size)
        try:
            return client.request("POST", target, body=_counted(pieces, advance), headers=headers)
        except ApiFailed as error:
            raise ApiFailed(f"{shown}: {error.message}", hint=error.hint) from error


@contextmanager
def _source(archive: Path) -> Iterator[tuple[Iterator[bytes], int | None]]:
    """What is to be sent, and how much it is if that is known."""
    if archive.is_dir():
        yield tar_stream.of(archive), tar_stream.size_of(archive)
        return
    with _opened(archive) as file:
        yield iter(lambda: file.read(CHUNK), b""), _size_of(file)


def _require_readable(archive: Path) -> None:
    """Raises UsageError before anything is sent."""
    if str(archive) == "-":
        return
    try:
        is_directory = stat.S_ISDIR(archive.stat().st_mode)
    except OSError as error:
        raise UsageError(f"{archive} cannot be read: {error.strerror}") from error
    if is_directory and not any((archive / each).is_file() for each in ("index.json", "manifest.json")):
        raise UsageError(
            f"{archive} is a directory without an image",
            hint="name an archive as `docker save` writes, or an OCI layout",
        )


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


def _counted(pieces: Iterator[bytes], advance: console.Advance) -> Iterator[bytes]:
    for data in pieces:
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
