"""`kubeling logs`: prints the logs of the cluster's processes, and what is added to them."""

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from kubeling.cli import console
from kubeling.cli.options import HomeOption, require_cluster
from kubeling.cluster import files
from kubeling.cluster.errors import ClusterError
from kubeling.cluster.home import locate
from kubeling.cluster.logfile import tail


class Process(StrEnum):
    server = "server"
    runtime = "runtime"
    virtual = "virtual"
    containerd = "containerd"


def logs(
    process: Annotated[Process | None, typer.Argument(help="Whose log; all of them if left out.")] = None,
    home: HomeOption = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", metavar="", help="Go on with what is added.")
    ] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many lines of the past.")] = 100,
) -> None:
    """Print the logs of the cluster's processes."""
    place = locate(home)
    require_cluster(place)
    names = [process.value] if process else [each.value for each in Process]
    files.private_directory(place.logs)
    sources = [_Source(place.logs / f"{name}.log", "" if process else f"{name:10} | ") for name in names]
    if not follow and not any(source.path.exists() for source in sources):
        raise ClusterError(f"nothing has been logged in {place.logs} yet")
    for source in sources:
        source.print_tail(lines)
    if follow:
        _follow(place.logs, sources)


class _Source:
    """A log file that may be renamed, or emptied, and begun anew while it is read."""

    def __init__(self, path: Path, prefix: str) -> None:
        self.path = path
        self._prefix = prefix
        self._file: BinaryIO | None = None
        self._partial = b""

    def print_tail(self, lines: int) -> None:
        self._open()
        if self._file:
            self._file.seek(0, os.SEEK_END)
        for line in tail(self.path, lines) if lines else []:
            console.say(self._prefix + line)

    def print_new(self) -> None:
        self._print_rest()
        if self._replaced():
            self._open()
            self._print_rest()

    def _print_rest(self) -> None:
        if self._file is None:
            return
        *whole, self._partial = (self._partial + self._file.read()).split(b"\n")
        for line in whole:
            console.say(self._prefix + line.decode(errors="replace"))

    def _open(self) -> None:
        if self._file:
            self._file.close()
        try:
            self._file = self.path.open("rb")
        except FileNotFoundError:
            self._file = None

    def _replaced(self) -> bool:
        try:
            current = self.path.stat()
        except FileNotFoundError:
            return False
        if self._file is None or os.fstat(self._file.fileno()).st_ino != current.st_ino:
            return True
        return self._file.tell() > current.st_size


def _follow(directory: Path, sources: Sequence[_Source]) -> None:
    """Waits for the kernel to report changes in the directory; ends with Ctrl-C."""
    from asyncinotify import Inotify, Mask

    by_name = {source.path.name: source for source in sources}
    with Inotify() as inotify:
        inotify.add_watch(directory, Mask.MODIFY | Mask.CREATE | Mask.MOVED_TO)
        for source in sources:
            source.print_new()
        for event in inotify:
            if event.name and str(event.name) in by_name:
                by_name[str(event.name)].print_new()
