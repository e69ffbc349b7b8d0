"""`kubeling version`."""

from kubeling.cli import console
from kubeling.version import KUBERNETES_VERSION, VERSION


def version() -> None:
    """Print the versions of kubeling and of its Kubernetes API."""
    console.say(f"kubeling {VERSION} (Kubernetes {KUBERNETES_VERSION})")
