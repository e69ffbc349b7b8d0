"""User namespaces: which range of the host's ids each pod with `hostUsers: false` has for its own.

A range is written into the pod's directory and is taken as long as that is there, so it outlives the agent.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object
from runtime.pods.abilities import RuntimeFeatures
from runtime.pods.paths import PodPaths

IDS_PER_POD = 65536
IDS = range(IDS_PER_POD, 2**32)
_FILE = "userns"


class NoUserNamespace(Exception):
    """The pod cannot have its own; the text is the kubelet's."""


def wanted(pod: Object) -> bool:
    return (pod.get("spec") or {}).get("hostUsers") is False


def check_runtime(features: RuntimeFeatures, handler: str) -> None:
    """Raises: NoUserNamespace."""
    found = features.handler(handler)
    if found is not None and found.user_namespaces:
        return
    why = "runtime does not support user namespaces"
    if found is not None and handler:
        why = f'RuntimeClass handler "{handler}" does not support user namespaces'
    raise NoUserNamespace(f"can't set `spec.hostUsers: false`, {why}")


def recorded(paths: PodPaths) -> cri.UserNamespace | None:
    """The range that the pod has; None when it has none."""
    first, length = _read(paths.directory / _FILE)
    return _mapping(first, length) if length else None


def allocate(paths: PodPaths, ids: range = IDS, *, length: int = IDS_PER_POD) -> cri.UserNamespace:
    """The pod's range, out of `ids`; the lowest free one when it has none yet.

    Raises:
        NoUserNamespace: all are taken.
    """
    held = recorded(paths)
    if held is not None:
        return held
    taken = sorted(_taken(paths.directory.parent))
    first = ids.start
    for start, size in taken:
        if start < first + length and first < start + size:
            first = start + size
    if first + length > ids.stop:
        raise NoUserNamespace("could not allocate a user namespace: all ranges are in use")
    _write(paths.directory / _FILE, first, length)
    return _mapping(first, length)


def _mapping(first: int, length: int) -> cri.UserNamespace:
    ids = [cri.IDMapping(host_id=first, container_id=0, length=length)]
    return cri.UserNamespace(mode=cri.POD, uids=ids, gids=ids)


def _taken(pods: Path) -> Iterator[tuple[int, int]]:
    for file in pods.glob(f"*/{_FILE}"):
        first, length = _read(file)
        if length:
            yield first, length


def _read(file: Path) -> tuple[int, int]:
    """(0, 0) when there is none that can be read."""
    try:
        mapping = json.loads(file.read_bytes())["uidMappings"][0]
        return int(mapping["hostId"]), int(mapping["length"])
    except (OSError, ValueError, LookupError, TypeError):
        return 0, 0


def _write(file: Path, first: int, length: int) -> None:
    mappings = [{"hostId": first, "containerId": 0, "length": length}]
    fresh = file.with_name(f"{_FILE}.new")
    fresh.write_text(json.dumps({"uidMappings": mappings, "gidMappings": mappings}))
    os.replace(fresh, file)
