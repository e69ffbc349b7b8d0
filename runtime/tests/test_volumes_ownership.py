"""A volume's files and the pod's group."""

import os
from pathlib import Path

import pytest

from runtime.volumes import ownership

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="changing groups needs root")
GROUP = 4321


def shown(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_gid, found.st_mode & 0o7777


def test_everything_is_given_to_the_group(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "d").mkdir(mode=0o700)
    (tmp_path / "d" / "f").touch(mode=0o600)
    ownership.give(tmp_path, GROUP, read_only=False)
    assert shown(tmp_path) == (GROUP, 0o2770)
    assert shown(tmp_path / "d") == (GROUP, 0o2770)
    assert shown(tmp_path / "d" / "f") == (GROUP, 0o660)


def test_what_is_only_read_is_not_made_writable(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "f").touch(mode=0o400)
    ownership.give(tmp_path, GROUP, read_only=True)
    assert shown(tmp_path) == (GROUP, 0o2750)
    assert shown(tmp_path / "f") == (GROUP, 0o440)


def test_links_are_given_but_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.touch(mode=0o600)
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "link").symlink_to(outside)
    ownership.give(tmp_path / "volume", GROUP, read_only=False)
    assert (tmp_path / "volume" / "link").lstat().st_gid == GROUP
    assert shown(outside) == (os.getgid(), 0o600)


def test_a_volume_whose_root_is_right_can_be_left_as_it_is(tmp_path: Path) -> None:
    ownership.give(tmp_path, GROUP, read_only=False)
    (tmp_path / "f").touch(mode=0o600)
    ownership.give(tmp_path, GROUP, read_only=False, only_on_mismatch=True)
    assert shown(tmp_path / "f")[1] == 0o600
    tmp_path.chmod(0o2750)
    ownership.give(tmp_path, GROUP, read_only=False, only_on_mismatch=True)
    assert shown(tmp_path / "f") == (GROUP, 0o660)
