"""What /version answers: the Kubernetes version whose API is served, in the form that clients parse."""

import platform
from functools import cache
from importlib import metadata

from kubeling.objects.meta import Object

MAJOR, MINOR, PATCH = "1", "37", "0"


@cache
def information() -> Object:
    """A version.Info. kubeling's own version is build metadata of gitVersion: it counts in no comparison."""
    return {
        "major": MAJOR,
        "minor": MINOR,
        "gitVersion": f"v{MAJOR}.{MINOR}.{PATCH}+kubeling.{metadata.version('kubeling')}",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": platform.python_implementation().lower(),
        "platform": f"{platform.system().lower()}/{_architecture()}",
    }


def _architecture() -> str:
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
