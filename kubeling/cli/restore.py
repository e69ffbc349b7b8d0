"""`kubeling restore`: puts the objects of a backup in the place of the cluster's."""

from pathlib import Path
from typing import Annotated

import typer

from kubeling.cli import console
from kubeling.cli.options import HomeOption, require_cluster
from kubeling.cluster import lock, storage
from kubeling.cluster.errors import UsageError
from kubeling.cluster.home import locate


def restore(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", show_default=False, help="What `kubeling backup` wrote.")
    ],
    home: HomeOption = None,
    force: Annotated[
        bool, typer.Option("--force", metavar="", help="Replace the objects that the cluster holds.")
    ] = False,
) -> None:
    """Put the objects of a backup in the place of the cluster's; it must be stopped.

    Clients that watched the cluster before are told to list anew.
    """
    place = locate(home)
    require_cluster(place)
    if not file.is_file():
        raise UsageError(f"there is no file {file}")
    with lock.held(place), console.working("Restoring the objects"):
        made = storage.restore(place, file.absolute(), force=force)
    console.note(f"Restored the backup of {made['created']}. Start the cluster with `kubeling up`.")
