"""Validation of paths in volumes and mounts."""

from kubeling.objects.errors import Cause
from server.registry.causes import invalid, required


def backstep_causes(field: str, path: str) -> list[Cause]:
    """No part of the path may be `..`."""
    if ".." in path and ".." in path.split("/"):
        return [invalid(field, path, "must not contain '..'")]
    return []


def descending_causes(field: str, path: str) -> list[Cause]:
    """A relative path that does not leave its directory."""
    causes = [invalid(field, path, "must be a relative path")] if path.startswith("/") else []
    return causes + backstep_causes(field, path)


def local_path_causes(field: str, path: str) -> list[Cause]:
    """A path inside a volume that does not begin with `..`, which the kubelet uses itself."""
    causes = descending_causes(field, path)
    if path.startswith("..") and not path.startswith("../") and path != "..":
        causes.append(invalid(field, path, "must not start with '..'"))
    return causes


def required_local_path_causes(field: str, path: str) -> list[Cause]:
    return local_path_causes(field, path) if path else [required(field)]
