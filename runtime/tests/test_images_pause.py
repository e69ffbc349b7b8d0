"""The pause image's archive."""

from pathlib import Path

import pytest

from runtime.errors import MachineNotReady
from runtime.images.archived_images import read_images
from runtime.images.pause import PAUSE_IMAGE, pause_archive

STATIC = b"\x7fELF" + bytes(5000)


@pytest.fixture
def busybox(tmp_path: Path) -> Path:
    path = tmp_path / "busybox"
    path.write_bytes(STATIC)
    return path


def test_the_archive_is_the_same_every_time(busybox: Path) -> None:
    assert pause_archive(busybox) == pause_archive(busybox)


def test_the_archive_holds_the_image_by_name(busybox: Path, tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(pause_archive(busybox))
    (image,) = read_images(tmp_path / "image.tar")
    assert image.name == PAUSE_IMAGE


def test_a_missing_busybox_is_told_with_its_package(tmp_path: Path) -> None:
    with pytest.raises(MachineNotReady, match="apt-get install busybox-static"):
        pause_archive(tmp_path / "none")


def test_a_dynamic_busybox_is_of_no_use(busybox: Path) -> None:
    busybox.write_bytes(b"\x7fELF" + bytes(500) + b"/lib64/ld-linux-x86-64.so.2\0" + bytes(500))
    with pytest.raises(MachineNotReady, match="not statically linked"):
        pause_archive(busybox)
