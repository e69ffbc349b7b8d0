"""Volumes that one pod at a time may have."""

from pathlib import Path
from typing import Any

import pytest

from kubeling.objects.clock import FakeClock
from runtime.pods.identity import PodIdentity
from runtime.pods.paths import PodPaths
from runtime.volumes.errors import VolumeError
from runtime.volumes.sole_use import claim_alone
from runtime.volumes.volumes import Volumes


def paths(root: Path, name: str) -> PodPaths:
    return PodPaths(root, PodIdentity("default", name, f"uid-{name}"))


def volume(*modes: str, name: str = "pv-1") -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"accessModes": list(modes)}}


def test_another_pod_is_refused_and_the_same_is_not(tmp_path: Path) -> None:
    one, two, sole = paths(tmp_path, "one"), paths(tmp_path, "two"), volume("ReadWriteOncePod")
    claim_alone(one, sole)
    claim_alone(one, sole)
    claim_alone(two, volume("ReadWriteOncePod", name="pv-2"))
    with pytest.raises(VolumeError, match="already in use by another pod"):
        claim_alone(two, sole)


async def test_it_is_free_again_when_the_pods_volumes_are_taken_down(tmp_path: Path) -> None:
    one, two, sole = paths(tmp_path, "one"), paths(tmp_path, "two"), volume("ReadWriteOncePod")
    claim_alone(one, sole)
    await Volumes(FakeClock()).tear_down(one)
    claim_alone(two, sole)


def test_other_modes_let_pods_share(tmp_path: Path) -> None:
    for name in ("one", "two"):
        claim_alone(paths(tmp_path, name), volume("ReadWriteOnce"))
