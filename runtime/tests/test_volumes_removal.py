"""Removing volumes: everything of the pod's, nothing that is mounted there."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.volumes import mount
from runtime.volumes.removal import remove_tree

MOUNTED = "busy|something is mounted"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    mount.unmount_below(tmp_path)


def test_a_directory_goes_with_all_that_is_in_it(place: Path) -> None:
    victim = place / "victim"
    (victim / "a" / "b").mkdir(parents=True)
    (victim / "a" / "file").write_text("x")
    (victim / "a" / "link").symlink_to(place)
    (place / "kept").touch()
    remove_tree(victim)
    remove_tree(victim)
    assert os.listdir(place) == ["kept"]


@needs_root
@pytest.mark.parametrize("at", [".", "a", "a/b/c"], ids=["itself", "inside", "deep"])
def test_nothing_behind_a_mount_is_touched(place: Path, at: str) -> None:
    precious = place / "precious"
    precious.mkdir()
    (precious / "data").write_text("x")
    target = place / "victim" / at
    target.mkdir(parents=True)
    mount.bind(precious, target)
    with pytest.raises(OSError, match=MOUNTED):
        remove_tree(place / "victim")
    assert (precious / "data").read_text() == "x"
    mount.unmount_below(place / "victim")
    remove_tree(place / "victim")
    assert (precious / "data").read_text() == "x"


@needs_root
def test_a_file_that_is_mounted_stays(place: Path) -> None:
    (place / "precious").write_text("x")
    (place / "victim").mkdir()
    (place / "victim" / "file").touch()
    mount.bind(place / "precious", place / "victim" / "file")
    with pytest.raises(OSError, match=MOUNTED):
        remove_tree(place / "victim")
    assert (place / "precious").read_text() == "x"


def test_directories_deeper_than_any_path(place: Path) -> None:
    victim = place / "victim"
    victim.mkdir()
    descriptor = os.open(victim, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("n", dir_fd=descriptor)
        inner = os.open("n", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = inner
    os.close(descriptor)
    remove_tree(victim)
    assert not victim.exists()


@needs_root
def test_mounts_below_a_shared_directory_are_found_and_unmounted(place: Path) -> None:
    directory = place / "pods"
    directory.mkdir()
    mount.share(directory)
    mount.share(directory)
    (directory / "a b").mkdir()
    mount.mount_tmpfs(directory / "a b", size=4096)
    assert mount.mounts_below(directory) == [directory / "a b", directory]
    mount.unmount_below(directory)
    assert mount.mounts_below(directory) == []
