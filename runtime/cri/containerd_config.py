"""Writes the private containerd's config.toml. Not responsible for running it.

containerd 1.6 and 1.7 read version 2; 2.x moved the CRI plug-in's settings, version 3.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Not used by us; each costs time at every start, or writes outside our directories.
DISABLED_PLUGINS = (
    "io.containerd.internal.v1.opt",
    "io.containerd.internal.v1.restart",
    "io.containerd.internal.v1.tracing",
    "io.containerd.nri.v1.nri",
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.blockfile",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.zfs",
    "io.containerd.tracing.processor.v1.otlp",
)
_RUNC = {"runtime_type": "io.containerd.runc.v2", "options": {"SystemdCgroup": False}}


@dataclass(frozen=True, kw_only=True)
class ContainerdSettings:
    """All that goes into config.toml."""

    root: Path
    state: Path
    socket: Path
    cni_bin: str
    cni_conf: Path
    registry_hosts: Path
    sandbox_image: str
    snapshotter: str
    restrict_oom_score_adj: bool
    handlers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """What RuntimeClasses may name beside `runc`, and how containerd runs it."""

    def runtimes(self) -> dict[str, Any]:
        return {**self.handlers, "runc": _RUNC}


def render(settings: ContainerdSettings, *, major_version: int) -> str:
    """config.toml's text for a containerd of this major version."""
    plugins = _plugins_v3(settings) if major_version >= 2 else _plugins_v2(settings)
    document = {
        "version": 3 if major_version >= 2 else 2,
        "root": str(settings.root),
        "state": str(settings.state),
        "disabled_plugins": list(DISABLED_PLUGINS),
        "grpc": {"address": str(settings.socket)},
        "ttrpc": {"address": f"{settings.socket}.ttrpc"},
        "plugins": plugins,
    }
    return "# Written by kubeling at every start.\n" + "\n".join(_table(document, path="")) + "\n"


def _streaming() -> dict[str, Any]:
    return {"stream_server_address": "127.0.0.1", "stream_server_port": "0", "enable_tls_streaming": False}


def _plugins_v2(settings: ContainerdSettings) -> dict[str, Any]:
    return {
        "io.containerd.grpc.v1.cri": {
            **_streaming(),
            "sandbox_image": settings.sandbox_image,
            "restrict_oom_score_adj": settings.restrict_oom_score_adj,
            "netns_mounts_under_state_dir": True,
            "cni": {"bin_dir": settings.cni_bin, "conf_dir": str(settings.cni_conf)},
            "containerd": {
                "snapshotter": settings.snapshotter,
                "default_runtime_name": "runc",
                "runtimes": settings.runtimes(),
            },
            "registry": {"config_path": str(settings.registry_hosts)},
        }
    }


def _plugins_v3(settings: ContainerdSettings) -> dict[str, Any]:
    return {
        "io.containerd.grpc.v1.cri": _streaming(),
        "io.containerd.cri.v1.images": {
            "snapshotter": settings.snapshotter,
            "pinned_images": {"sandbox": settings.sandbox_image},
            "registry": {"config_path": str(settings.registry_hosts)},
        },
        "io.containerd.cri.v1.runtime": {
            "restrict_oom_score_adj": settings.restrict_oom_score_adj,
            "netns_mounts_under_state_dir": True,
            "cni": {"bin_dir": settings.cni_bin, "conf_dir": str(settings.cni_conf)},
            "containerd": {"default_runtime_name": "runc", "runtimes": settings.runtimes()},
        },
    }


def _table(table: dict[str, Any], *, path: str) -> list[str]:
    """A table's own values, then its subtables; a JSON scalar or list of strings is valid TOML."""
    lines = [f"[{path}]"] if path else []
    lines += [f"{key} = {json.dumps(value)}" for key, value in table.items() if not isinstance(value, dict)]
    for key, value in table.items():
        if isinstance(value, dict):
            name = json.dumps(key)
            lines += ["", *_table(value, path=f"{path}.{name}" if path else name)]
    return lines
