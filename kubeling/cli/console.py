"""How the command talks: results on stdout, progress and errors on stderr, colours only on terminals."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from kubeling.cluster.errors import ClusterError

Advance = Callable[[int], None]
"""Is told how many more bytes have been dealt with."""


def say(text: str = "") -> None:
    """A line of the command's result."""
    typer.echo(text)


def note(text: str) -> None:
    """A line about what is going on."""
    typer.echo(text, err=True)


def warn(text: str) -> None:
    typer.echo(f"{paint('warning:', 'yellow')} {text}", err=True)


def fail(error: ClusterError) -> None:
    """One sentence, what to do about it, and the lines of a log that explain it."""
    for line in error.details:
        typer.echo(f"  {line}", err=True)
    typer.echo(f"kubeling: {paint('error:', 'red')} {error.message}", err=True)
    if error.hint:
        typer.echo(f"  {error.hint}", err=True)


def paint(text: str, colour: str, *, bold: bool = True) -> str:
    """Coloured for a terminal on stderr, unless NO_COLOR says no."""
    if is_terminal(err=True) and not os.environ.get("NO_COLOR"):
        return typer.style(text, fg=colour, bold=bold)
    return text


def is_terminal(*, err: bool) -> bool:
    stream = sys.stderr if err else sys.stdout
    return stream.isatty() and os.environ.get("TERM") != "dumb"


@contextmanager
def working(text: str) -> Iterator[None]:
    """Shows that something takes its time: a spinner on a terminal, a line elsewhere."""
    if not is_terminal(err=True):
        note(f"{text} ...")
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


@contextmanager
def progress(text: str, total: int | None) -> Iterator[Advance]:
    """Shows how far something of `total` bytes has come: a bar on a terminal, a line elsewhere."""
    if not is_terminal(err=True):
        note(f"{text} ...")
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda count: bar.advance(task, count)
