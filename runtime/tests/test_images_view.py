"""Image volumes: views of layers are made once, mounted read-only, and removed with the pod."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
from cri_api.v1 import api_pb2 as cri

from kubeling.objects.clock import FakeClock
from runtime.cri import wire
from runtime.cri.snapshots import Layers, Snapshots, _layers
from runtime.errors import RuntimeFailed
from runtime.images.view import ImageViews, _short
from runtime.pods.identity import PodIdentity
from runtime.pods.paths import PodPaths
from runtime.volumes import mount
from runtime.volumes.errors import VolumeBusy
from runtime.volumes.volumes import Volumes

VOLUME = {"name": "v", "image": {"reference": "app:1"}}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@dataclass
class FakeSnapshots(Snapshots):
    """Views of one directory."""

    layer: Path
    views: dict[str, str] = field(default_factory=dict)
    away: bool = False

    async def view(self, key: str, parent: str, *, now: datetime) -> Layers:
        self.views[key] = parent
        return Layers("bind", str(self.layer), ["ro", "rbind"])

    async def remove(self, key: str) -> None:
        if self.away:
            raise RuntimeFailed("containerd is away")
        self.views.pop(key, None)


class FakeImages:
    async def image_chain(self, image: str) -> str:
        return f"chain-of-{image}"


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[PodPaths]:
    yield PodPaths(tmp_path / "node", PodIdentity("default", "web", "u"))
    mount.unmount_below(tmp_path)


@needs_root
async def test_an_image_is_shown_and_forgotten(paths: PodPaths, tmp_path: Path) -> None:
    (tmp_path / "layer").mkdir()
    (tmp_path / "layer" / "file").write_text("x")
    snapshots = FakeSnapshots(tmp_path / "layer")
    volumes = Volumes(FakeClock(), ImageViews(FakeImages(), snapshots, FakeClock()))
    for _ in range(2):
        place = await volumes.mount_image(paths, VOLUME, cri.Image(id="sha256:app"))
    assert place is not None
    assert place == paths.volume("image", "v")
    assert snapshots.views == {"image-volume/u/v": "chain-of-sha256:app"}
    with pytest.raises(OSError, match="Read-only file system"):
        (place / "other").touch()
    snapshots.away = True
    with pytest.raises(RuntimeFailed):
        await volumes.tear_down(paths)
    assert place.exists()
    snapshots.away = False
    await volumes.tear_down(paths)
    assert not place.exists()
    assert snapshots.views == {}
    assert (tmp_path / "layer" / "file").exists()


@needs_root
async def test_what_a_pod_mounts_cannot_take_files_of_the_host_with_it(
    paths: PodPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mount that will not go, in an emptyDir: nothing behind it is removed, and it is tried again."""
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "file").touch()
    inside = paths.volume("empty-dir", "v") / "inside"
    inside.mkdir(parents=True)
    mount.bind(tmp_path / "host", inside)
    with monkeypatch.context() as stuck:
        stuck.setattr(mount, "unmount", lambda target: None)
        with pytest.raises(VolumeBusy):
            await Volumes(FakeClock()).tear_down(paths)
    assert (tmp_path / "host" / "file").exists()
    await Volumes(FakeClock()).tear_down(paths)
    assert (tmp_path / "host" / "file").exists()
    assert not inside.exists()


def test_a_runtime_that_mounts_images_itself_is_left_to_it() -> None:
    assert not Volumes(FakeClock()).mounts_images


def test_what_containerd_says_of_a_view() -> None:
    mounted = wire.field(1, "overlay") + wire.field(2, "overlay") + wire.field(4, "index=off")
    answer = wire.field(1, mounted + wire.field(4, "lowerdir=/a:/b"))
    assert _layers(answer) == Layers("overlay", "overlay", ["index=off", "lowerdir=/a:/b"])


def test_options_of_many_layers_are_shortened(tmp_path: Path) -> None:
    layers = [tmp_path / ("snapshots" * 6) / str(number) / "fs" for number in range(50)]
    for each in layers:
        each.mkdir(parents=True)
        (each / "mark").write_text(each.parent.name)
    lower = "lowerdir=" + ":".join(map(str, layers))
    with _short(["ro", "index=off", lower]) as options:
        assert len(options) < len(lower) / 2
        first = options.removeprefix("lowerdir=").split(":")[1]
        assert (Path(first) / "mark").read_text() == "1"
    with _short(["ro", "lowerdir=/a:/b"]) as options:
        assert options == "lowerdir=/a:/b"
