"""`kubeling down`: stops the cluster and keeps its state."""

from kubeling.cli import console
from kubeling.cli.options import HomeOption
from kubeling.cluster import leftovers, stop
from kubeling.cluster.home import locate


def down(home: HomeOption = None) -> None:
    """Stop the cluster; the next `up` brings everything back."""
    place = locate(home)
    with console.working("Stopping the cluster"):
        stopped = stop.stop(place)
        left = 0 if stopped else leftovers.end_processes(place)
    if left:
        console.note(f"Stopped {left} processes that had outlived their cluster.")
    else:
        console.note(
            f"Stopped; {place.root} keeps its state."
            if stopped
            else f"No cluster is running in {place.root}."
        )
