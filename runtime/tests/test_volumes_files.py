"""The files of volumes: what they hold, and that readers never see half of them."""

import base64
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kubeling.objects.clock import FakeClock
from runtime.pods.environment.downward import PodFacts
from runtime.pods.identity import PodIdentity
from runtime.pods.paths import PodPaths
from runtime.pods.references import CONFIG_MAP, SECRET, Reference
from runtime.volumes import atomic_writer, host_path
from runtime.volumes.atomic_writer import File
from runtime.volumes.errors import VolumeError
from runtime.volumes.mount import mounts_below
from runtime.volumes.payload import Contents, volume_payload
from runtime.volumes.volumes import Volumes

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
POD = {"metadata": {"name": "p", "namespace": "n", "uid": "u", "labels": {"b": "2", "a": "1"}}, "spec": {}}
SOURCES: dict[Reference, dict[str, Any]] = {
    Reference(CONFIG_MAP, "n", "settings"): {
        "data": {"mode": "fast"},
        "binaryData": {"blob": base64.b64encode(b"\xff\x00").decode()},
    },
    Reference(SECRET, "n", "login"): {"data": {"password": base64.b64encode(b"hunter2").decode()}},
}


def payload(volume: dict[str, Any]) -> dict[str, tuple[bytes, int]]:
    files = volume_payload(POD, {"name": "v", **volume}, Contents(SOURCES, PodFacts()))
    assert files is not None
    return {name: (file.content, file.mode) for name, file in files.items()}


def test_a_config_map_becomes_files() -> None:
    assert payload({"configMap": {"name": "settings"}}) == {
        "mode": (b"fast", 0o644),
        "blob": (b"\xff\x00", 0o644),
    }


def test_items_choose_keys_paths_and_modes() -> None:
    items = [{"key": "password", "path": "deep/pw", "mode": 0o400}]
    assert payload({"secret": {"secretName": "login", "items": items, "defaultMode": 0o440}}) == {
        "deep/pw": (b"hunter2", 0o400)
    }


def test_a_projected_volume_joins_its_sources() -> None:
    labels = {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}
    sources = [
        {"configMap": {"name": "settings", "items": [{"key": "mode", "path": "m"}]}},
        {"secret": {"name": "login"}},
        {"secret": {"name": "absent", "optional": True}},
        {"downwardAPI": labels},
    ]
    assert payload({"projected": {"sources": sources, "defaultMode": 0o600}}) == {
        "m": (b"fast", 0o600),
        "password": (b"hunter2", 0o600),
        "labels": (b'a="1"\nb="2"', 0o600),
    }


@pytest.mark.parametrize(
    ("volume", "why"),
    [
        ({"configMap": {"name": "x"}}, 'configmap "x" not found'),
        ({"secret": {"secretName": "x"}}, 'secret "x" not found'),
        (
            {"configMap": {"name": "settings", "items": [{"key": "k", "path": "k"}]}},
            "configmap references non-existent config key: k",
        ),
    ],
)
def test_what_is_missing_is_said_as_the_kubelet_says_it(volume: dict[str, Any], why: str) -> None:
    with pytest.raises(VolumeError) as caught:
        payload(volume)
    assert str(caught.value) == f'MountVolume.SetUp failed for volume "v" : {why}'


@pytest.mark.parametrize("path", ["/abs", "../out", "a/../../b", "..data"])
def test_a_path_out_of_the_volume_is_refused(path: str) -> None:
    with pytest.raises(VolumeError):
        payload({"configMap": {"name": "settings", "items": [{"key": "mode", "path": path}]}})


def shown(directory: Path) -> dict[str, str]:
    return {each.name: each.read_text() for each in directory.iterdir() if not each.name.startswith("..")}


def test_files_appear_by_way_of_one_link(tmp_path: Path) -> None:
    files = {"a": File(b"1", 0o644), "d/e": File(b"2", 0o600)}
    assert atomic_writer.write(tmp_path, files, now=NOW)
    assert os.readlink(tmp_path / "a") == "..data/a"
    assert os.readlink(tmp_path / "..data").startswith("..2026_01_02_03_04_05.")
    assert (tmp_path / "d" / "e").read_text() == "2"
    assert (tmp_path / "d" / "e").stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_when_nothing_changed(tmp_path: Path) -> None:
    atomic_writer.write(tmp_path, {"a": File(b"1", 0o644)}, now=NOW)
    before = os.readlink(tmp_path / "..data")
    assert not atomic_writer.write(tmp_path, {"a": File(b"1", 0o644)}, now=NOW)
    assert os.readlink(tmp_path / "..data") == before


def test_an_update_replaces_everything_at_once_and_leaves_nothing_behind(tmp_path: Path) -> None:
    atomic_writer.write(tmp_path, {"a": File(b"1", 0o644), "b": File(b"2", 0o644)}, now=NOW)
    assert atomic_writer.write(tmp_path, {"a": File(b"9", 0o644), "c": File(b"3", 0o644)}, now=NOW)
    assert shown(tmp_path) == {"a": "9", "c": "3"}
    assert sum(each.name.startswith("..2026") for each in tmp_path.iterdir()) == 1


def test_the_pods_group_may_read_its_files(tmp_path: Path) -> None:
    atomic_writer.write(tmp_path, {"a": File(b"1", 0o400)}, now=NOW, group=os.getgid())
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o440


def a_host_path(path: Path, kind: str) -> dict[str, Any]:
    return {"name": "v", "hostPath": {"path": str(path), "type": kind}}


def test_host_paths_are_made_where_asked_for(tmp_path: Path) -> None:
    host_path.prepare(a_host_path(tmp_path / "d", "DirectoryOrCreate"))
    host_path.prepare(a_host_path(tmp_path / "f", "FileOrCreate"))
    assert (tmp_path / "d").is_dir()
    assert (tmp_path / "f").is_file()


@pytest.mark.parametrize("kind", ["Directory", "File", "Socket", "CharDevice", "BlockDevice"])
def test_host_paths_are_checked(tmp_path: Path, kind: str) -> None:
    with pytest.raises(VolumeError, match=r"hostPath type check failed: .* is not a"):
        host_path.prepare(a_host_path(tmp_path / "missing", kind))


async def test_volumes_are_set_up_and_taken_down(tmp_path: Path) -> None:
    volumes, paths = Volumes(FakeClock()), PodPaths(tmp_path, PodIdentity("n", "p", "u"))
    empty = {"name": "empty", "emptyDir": {}}
    settings = {"name": "settings", "configMap": {"name": "settings"}}
    pod = {**POD, "spec": {"volumes": [empty, settings]}}
    await volumes.set_up(pod, paths, Contents(SOURCES, PodFacts()))
    directory = volumes.host_path(paths, empty)
    assert directory == tmp_path / "pods" / "u" / "volumes" / "kubernetes.io~empty-dir" / "empty"
    assert directory.stat().st_mode & 0o777 == 0o777
    (directory / "kept").touch()
    await volumes.set_up(pod, paths, Contents(SOURCES, PodFacts()))
    assert (directory / "kept").exists()
    assert (volumes.host_path(paths, settings) / "mode").read_text() == "fast"
    await volumes.tear_down(paths)
    assert not paths.volumes.exists()


async def test_memory_volumes_are_mounted_and_unmounted(tmp_path: Path) -> None:
    volumes, paths = Volumes(FakeClock()), PodPaths(tmp_path, PodIdentity("n", "p", "u"))
    memory = {"name": "memory", "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}
    try:
        await volumes.set_up({**POD, "spec": {"volumes": [memory]}}, paths, Contents({}, PodFacts()))
    except VolumeError:
        pytest.skip("this machine does not allow to mount a tmpfs")
    assert mounts_below(tmp_path) == [volumes.host_path(paths, memory)]
    assert os.statvfs(volumes.host_path(paths, memory)).f_blocks * 4096 <= 2**20
    await volumes.tear_down(paths)
    assert mounts_below(tmp_path) == []
