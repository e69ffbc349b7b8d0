"""Parts of volumes: found through links, but never outside, and shown by what was opened."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.volumes import mount, subpath

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "volume"
    directory.mkdir(mode=0o755)
    yield directory
    mount.unmount_below(tmp_path)


@needs_root
def test_a_directory_is_shown_elsewhere(volume: Path) -> None:
    (volume / "a" / "b").mkdir(parents=True)
    target = volume.parent / "shown" / "0"
    subpath.prepare(volume, "a/b", target)
    (volume / "a" / "b" / "file").touch()
    assert os.listdir(target) == ["file"]


@needs_root
def test_a_file_is_shown_through_the_links_of_a_config_map(volume: Path) -> None:
    (volume / "..1").mkdir()
    (volume / "..1" / "key").write_text("one")
    (volume / "..data").symlink_to("..1")
    (volume / "key").symlink_to("..data/key")
    target = volume.parent / "shown" / "0"
    subpath.prepare(volume, "key", target)
    assert target.read_text() == "one"


@needs_root
def test_what_is_shown_already_stays_and_what_was_replaced_gives_way(volume: Path) -> None:
    target = volume.parent / "shown" / "0"
    (volume / "key").write_text("one")
    subpath.prepare(volume, "key", target)
    subpath.prepare(volume, "key", target)
    assert mount.mounts_below(volume.parent) == [target]
    (volume / "key").unlink()
    (volume / "key").mkdir()
    subpath.prepare(volume, "key", target)
    assert target.is_dir()
    assert mount.mounts_below(volume.parent) == [target]


@pytest.mark.parametrize(
    "link", ["/etc", "../outside", "/proc/self/root/etc"], ids=["root", "parent", "proc"]
)
def test_a_link_out_of_the_volume_is_refused(volume: Path, link: str) -> None:
    (volume.parent / "outside").mkdir()
    (volume / "out").symlink_to(link)
    with pytest.raises(OSError, match="out of the volume"):
        subpath.prepare(volume, "out", volume.parent / "shown")
    with pytest.raises(OSError, match="out of the volume"):
        subpath.make_directory(volume, "out/new")
    assert not (volume.parent / "outside" / "new").exists()


def test_a_link_that_takes_the_place_of_a_directory_is_noticed(
    volume: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the path and its opening a container has put a link there."""
    (volume / "swapped").mkdir()
    realpath = os.path.realpath

    def resolve_and_swap(path: Path, *, strict: bool) -> str:
        found = str(realpath(path, strict=strict))
        if path.name == "swapped":
            path.rmdir()
            path.symlink_to("/etc")
        return found

    monkeypatch.setattr(os.path, "realpath", resolve_and_swap)
    with pytest.raises(OSError, match="a link took the place"):
        subpath.prepare(volume, "swapped", volume.parent / "shown")


def test_a_missing_directory_is_made_like_the_volume(volume: Path) -> None:
    volume.chmod(0o3775)
    subpath.make_directory(volume, "a/b")
    assert [(volume / each).stat().st_mode & 0o7777 for each in ("a", "a/b")] == [0o3775, 0o3775]


def test_links_that_go_round_in_circles_are_refused(volume: Path) -> None:
    (volume / "one").symlink_to("two")
    (volume / "two").symlink_to("one")
    with pytest.raises(OSError, match="symbolic links"):
        subpath.prepare(volume, "one", volume.parent / "shown")
    assert not subpath.is_missing(volume, "one/x")
    assert subpath.is_missing(volume, "three")


def test_nothing_is_made_below_a_file(volume: Path) -> None:
    (volume / "file").touch()
    with pytest.raises(NotADirectoryError):
        subpath.make_directory(volume, "file/x")
