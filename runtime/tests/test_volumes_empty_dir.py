"""emptyDir: how large it may be in memory, and that containers' changes of its mode stay."""

import os
from pathlib import Path
from typing import Any

import pytest

from runtime.volumes import empty_dir, mount
from runtime.volumes.errors import VolumeError

GIB = 2**30


def pod(*limits: str | None, **spec: Any) -> dict[str, Any]:
    containers = [
        {"name": f"c{at}", "resources": {"limits": {"memory": limit}} if limit else {}}
        for at, limit in enumerate(limits)
    ]
    return {"spec": {"containers": containers, **spec}}


@pytest.mark.parametrize(
    ("made", "size_limit", "expected"),
    [
        (pod(None), None, GIB),
        (pod("1Mi", None), None, GIB),
        (pod("1Mi", "2Mi"), None, 3 * 2**20),
        (pod("1Mi"), "512Ki", 2**19),
        (pod("1Mi"), "2Mi", 2**20),
        (pod("4Gi"), "2Gi", GIB),
        (pod(None, resources={"limits": {"memory": "5Mi"}}), None, 5 * 2**20),
    ],
    ids=["node", "one-unlimited", "sum", "size-limit", "pod-limit", "more-than-the-node", "pod-level"],
)
def test_the_size_in_memory(made: dict[str, Any], size_limit: str | None, expected: int) -> None:
    assert empty_dir.memory_size(made, {"sizeLimit": size_limit}, memory=GIB) == expected


def test_the_kernel_decides_where_nothing_is_known() -> None:
    assert empty_dir.memory_size(pod(None), {}, memory=0) is None


def asking(*sizes: str) -> dict[str, Any]:
    requests = {f"hugepages-{size}": "1Gi" for size in sizes}
    return {"spec": {"containers": [{"name": "c", "resources": {"requests": requests, "limits": requests}}]}}


def test_the_size_of_huge_pages() -> None:
    volume = {"name": "v", "emptyDir": {"medium": "HugePages"}}
    assert empty_dir.page_size(asking("2Mi"), volume) == 2**21
    named = {"name": "v", "emptyDir": {"medium": "HugePages-1Gi"}}
    assert empty_dir.page_size(asking("2Mi", "1Gi"), named) == GIB
    for other in (asking(), asking("2Mi", "1Gi")):
        with pytest.raises(VolumeError):
            empty_dir.page_size(other, volume)


def test_mode_and_files_stay_as_containers_leave_them(tmp_path: Path) -> None:
    directory, mark = tmp_path / "v", tmp_path / "plugins" / "ready"
    volume = {"name": "v", "emptyDir": {}}
    empty_dir.set_up(directory, mark, pod(None), volume, memory=0)
    assert directory.stat().st_mode & 0o7777 == 0o777
    directory.chmod(0o700)
    empty_dir.set_up(directory, mark, pod(None), volume, memory=0)
    assert directory.stat().st_mode & 0o7777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_memory_comes_anew_after_a_reboot(tmp_path: Path) -> None:
    directory, mark = tmp_path / "v", tmp_path / "ready"
    volume = {"name": "v", "emptyDir": {"medium": "Memory"}}
    try:
        for _ in range(2):
            empty_dir.set_up(directory, mark, pod(None), volume, memory=GIB)
            assert mount.is_mount_point(directory)
            assert mark.exists()
            mount.unmount_below(directory)
    finally:
        mount.unmount_below(directory)


@pytest.mark.skipif(os.geteuid() != 0, reason="changing groups needs root")
def test_the_pods_group_has_it(tmp_path: Path) -> None:
    grouped = pod(None, securityContext={"fsGroup": 4321})
    empty_dir.set_up(tmp_path / "v", tmp_path / "ready", grouped, {"name": "v", "emptyDir": {}}, memory=0)
    found = (tmp_path / "v").stat()
    assert (found.st_gid, found.st_mode & 0o7777) == (4321, 0o2777)
