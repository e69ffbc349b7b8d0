"""`kubeling backup`: writes all objects of the cluster to a file."""

from pathlib import Path
from typing import Annotated

import typer

from kubeling.cli import console
from kubeling.cli.options import HomeOption, require_cluster
from kubeling.cluster import storage
from kubeling.cluster.errors import UsageError
from kubeling.cluster.home import locate


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", show_default=False, help="The file to write.")],
    home: HomeOption = None,
    force: Annotated[
        bool, typer.Option("--force", metavar="", help="Replace FILE if it is there already.")
    ] = False,
) -> None:
    """Write all objects to a file, as of one moment; the cluster may be running.

    The file holds Secrets, too, and only you can read it. It can be restored to any kind of datastore.
    """
    place = locate(home)
    require_cluster(place)
    if file.exists() and not force:
        raise UsageError(f"{file} exists already", hint="name another file, or say --force")
    with console.working("Reading the objects"):
        made = storage.backup(place, file.absolute())
    size = file.stat().st_size / 2**10
    console.note(
        f"Wrote {made['objects']} objects at revision {made['revision']} to {file} ({size:,.0f} KiB)."
    )
