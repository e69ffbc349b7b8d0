"""`kubeling kubeconfig`: prints the administrator's kubeconfig."""

from kubeling.cli import console
from kubeling.cli.options import HomeOption, require_cluster
from kubeling.cluster.home import locate


def kubeconfig(home: HomeOption = None) -> None:
    """Print the administrator's kubeconfig, for another tool."""
    place = locate(home)
    require_cluster(place)
    console.say(place.admin_kubeconfig.read_text().rstrip("\n"))
