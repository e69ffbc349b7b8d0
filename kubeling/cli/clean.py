"""`kubeling clean`: removes a cluster with everything it has left on this machine."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from kubeling.cli import console
from kubeling.cli.options import HomeOption
from kubeling.cluster import datastore, leftovers, lock, settings, stop
from kubeling.cluster.errors import ClusterError, HomeError
from kubeling.cluster.home import Home, locate
from kubeling.cluster.keys import Pki
from kubeling.cluster.kubeconfig import NAME, admin_document
from kubeling.cluster.runstate import running
from kubeling.cluster.settings import Settings


def clean(
    home: HomeOption = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", metavar="", help="Do not ask, even if the cluster is running.")
    ] = False,
) -> None:
    """Remove the cluster: containers, state, kubeconfig context."""
    place = locate(home)
    if place.blank():
        console.note(f"There is no cluster in {place.root}.")
        return
    kept = _require_home(place)
    if running(place):
        _confirm(place, yes=yes)
        with console.working("Stopping the cluster"):
            stop.stop(place)
    with lock.held(place):
        stop.end_orphans(place)
        _remove_context(place, kept)
        with console.working(f"Removing {place.root}"):
            _remove_all(place)
    console.note(f"Removed {place.root}.")
    file = datastore.sqlite_file(kept.datastore)
    if file is None or file.exists():  # not in the home: somebody chose its place
        place_of_objects = file or datastore.shown(kept.datastore)
        console.note(
            f"The objects are still in {place_of_objects}: remove it, or start with it again by --datastore."
        )


def _require_home(place: Home) -> Settings:
    kept = settings.load(place)
    if kept is None:
        raise HomeError(
            f"{place.root} is not the home directory of a kubeling cluster, so nothing is removed",
            hint="name the right one with --home",
        )
    return kept


def _confirm(place: Home, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise ClusterError(f"the cluster of {place.root} is running", hint="stop it first, or say --yes")
    typer.confirm(f"The cluster of {place.root} is running. Remove it with all that it holds?", abort=True)


def _remove_all(place: Home) -> None:
    leftovers.end_processes(place)
    leftovers.unmount(place)
    leftovers.remove_cgroups(place)
    leftovers.remove_network(place)
    leftovers.remove_files(place)


def _remove_context(place: Home, kept: Settings) -> None:
    pki = Pki(place.pki)
    if not kept.user_kubeconfig or not pki.admin.key.exists():
        return
    from kubeling.cluster import userconfig

    try:
        if userconfig.remove(Path(kept.user_kubeconfig), admin_document(pki, kept)):
            console.note(f'Context "{NAME}" is gone from {kept.user_kubeconfig}')
    except ClusterError as error:
        console.warn(f"the context {NAME!r} stays: {error.message}")
