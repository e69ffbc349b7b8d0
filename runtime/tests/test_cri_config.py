"""The private containerd's configuration."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from runtime.cri.containerd_config import ContainerdSettings, render


def settings(**changes: Any) -> ContainerdSettings:
    values: dict[str, Any] = {
        "root": Path("/data/root"),
        "state": Path("/run/k/state"),
        "socket": Path("/run/k/containerd.sock"),
        "cni_bin": "/usr/lib/cni",
        "cni_conf": Path("/data/cni"),
        "registry_hosts": Path("/data/certs.d"),
        "sandbox_image": "kubeling.local/pause:1",
        "snapshotter": "overlayfs",
        "restrict_oom_score_adj": True,
    }
    return ContainerdSettings(**(values | changes))


def test_version_2_for_containerd_1() -> None:
    document = tomllib.loads(render(settings(), major_version=1))
    assert document["version"] == 2
    plugin = document["plugins"]["io.containerd.grpc.v1.cri"]
    assert plugin["sandbox_image"] == "kubeling.local/pause:1"
    assert plugin["restrict_oom_score_adj"] is True
    assert plugin["stream_server_address"] == "127.0.0.1"
    assert plugin["cni"] == {"bin_dir": "/usr/lib/cni", "conf_dir": "/data/cni"}
    assert plugin["containerd"]["runtimes"]["runc"]["options"] == {"SystemdCgroup": False}
    assert set(plugin["containerd"]["runtimes"]) == {"runc"}
    assert plugin["registry"] == {"config_path": "/data/certs.d"}


def test_version_3_for_containerd_2() -> None:
    document = tomllib.loads(render(settings(), major_version=2))
    assert document["version"] == 3
    assert document["plugins"]["io.containerd.cri.v1.images"]["pinned_images"] == {
        "sandbox": "kubeling.local/pause:1"
    }
    assert document["plugins"]["io.containerd.cri.v1.runtime"]["restrict_oom_score_adj"] is True


@pytest.mark.parametrize("major", [1, 2])
def test_paths_of_any_kind_are_quoted(major: int) -> None:
    path = Path('/data/a "b" c\\d')
    document = tomllib.loads(render(settings(root=path), major_version=major))
    assert document["root"] == str(path)


def test_everything_lies_in_directories_of_its_own() -> None:
    document = tomllib.loads(render(settings(), major_version=1))
    assert (document["root"], document["state"]) == ("/data/root", "/run/k/state")
    assert document["grpc"]["address"] == "/run/k/containerd.sock"
