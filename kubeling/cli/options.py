"""Options that several subcommands share."""

from pathlib import Path
from typing import Annotated

import typer

from kubeling.cluster import settings
from kubeling.cluster.errors import NotRunning
from kubeling.cluster.home import Home
from kubeling.cluster.runstate import RunState, running
from kubeling.cluster.settings import Settings

HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        envvar="KUBELING_HOME",
        show_envvar=True,
        show_default="/var/lib/kubeling for root, else ~/.local/share/kubeling",
        help="The cluster's home directory.",
    ),
]


def require_cluster(home: Home) -> Settings:
    """The settings of a home that holds a cluster, running or not. Raises HomeError, NotRunning."""
    kept = settings.load(home)
    if kept is None:
        raise NotRunning(f"there is no cluster in {home.root}", hint="start one with `kubeling up --detach`")
    return kept


def require_running(home: Home) -> tuple[Settings, RunState]:
    """The settings and processes of a running cluster. Raises NotRunning."""
    kept = settings.load(home)
    state = running(home)
    if kept is None or state is None:
        raise NotRunning(f"no cluster is running in {home.root}", hint="start it with `kubeling up --detach`")
    return kept, state
