"""The cluster under test: one that the suite starts and removes, or one that was there.

Not here: requests to it (`conformance.rest`, `conformance.kubectl`).
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conformance import testimage, toolimage

ANY_DISK = ("evictionHard: {memory.available: 100Mi}", "imageGCHighThresholdPercent: 100")
"""A developer's disk may be fuller than the kubelet's defaults allow: no pod would be taken."""


@dataclass(frozen=True)
class Cluster:
    kubeconfig: Path
    image: str
    containers: bool
    """Whether pods become containers here."""
    home: Path | None = None
    """Only of a cluster that the suite started."""
    tools: str = ""
    """The image with the tools; empty where there is none."""

    def kubeling(self, *arguments: str, timeout: float = 60) -> str:
        assert self.home is not None
        return kubeling(*arguments, "--home", str(self.home), timeout=timeout)

    def status(self) -> dict[str, Any]:
        """Also of a cluster that is not wholly up: the exit code says so, the output is complete."""
        assert self.home is not None
        command = [*program(), "status", "--home", str(self.home), "-o", "json"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.stdout.strip(), f"kubeling status printed nothing: {done.stderr}"
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def pid(self, process: str) -> int | None:
        """Of `server` or `runtime`; None while it does not run."""
        pid: int | None = self.status()["processes"].get(process, {}).get("pid")
        return pid

    def up(self, *arguments: str) -> None:
        self.kubeling("up", "--detach", "--kubeconfig", str(self.kubeconfig), *arguments)

    def logs(self) -> str:
        """The ends of the processes' logs, for a report."""
        assert self.home is not None
        files = sorted((self.home / "logs").glob("*.log"))
        return "\n".join(f"== {file.name}\n" + _end_of(file) for file in files)


@contextmanager
def started(
    directory: Path, *, node: bool = True, virtual_nodes: int = 0, kubelet: str = ""
) -> Iterator[Cluster]:
    """A cluster of our own on a free port, with the test image; nothing of it is left afterwards.

    With virtual nodes it has no other, so that pods have no containers. `kubelet` are lines of the real
    node's KubeletConfiguration, in YAML; what they do not say of disks does not depend on the machine's.
    """
    home = directory / "home"
    configure(home, kubelet)
    node = node and not virtual_nodes and not lacking()
    nodes = ["--no-node", "--virtual-nodes", str(virtual_nodes)] if not node else []
    tools = toolimage.NAME if node and not toolimage.lacking() else ""
    cluster = Cluster(directory / "kubeconfig", testimage.NAME, containers=node, home=home, tools=tools)
    try:
        cluster.up("--port", "0", *nodes)
        if node:
            load(cluster, directory)
        yield cluster
    finally:
        remove(cluster)


def configure(home: Path, kubelet: str) -> None:
    home.mkdir(parents=True, exist_ok=True)
    header = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
    lines = [line for line in ANY_DISK if line.partition(":")[0] not in kubelet]
    (home / "kubelet.yaml").write_text(header + "\n".join([*lines, kubelet, ""]))


def load(cluster: Cluster, directory: Path) -> None:
    """Brings the test images to its nodes; `directory` takes their archives."""
    archives = {"image.tar": testimage.build().docker_archive(testimage.NAME)}
    if cluster.tools:
        archives["tools.tar"] = toolimage.build().docker_archive(toolimage.NAME)
    for file, archive in archives.items():
        (directory / file).write_bytes(archive)
    cluster.kubeling("image", "load", *(str(directory / file) for file in archives))


def remove(cluster: Cluster) -> None:
    assert cluster.home is not None
    if cluster.home.exists():
        keep = os.environ.get("KUBELING_KEEP_LOGS")
        if keep:
            shutil.copytree(cluster.home / "logs", Path(keep) / cluster.home.parent.name, dirs_exist_ok=True)
        cluster.kubeling("clean", "--yes")
    shutil.rmtree(cluster.home, ignore_errors=True)


def kubeling(*arguments: str, timeout: float = 60) -> str:
    """Output of a command that must succeed."""
    done = subprocess.run(
        [*program(), *arguments], capture_output=True, text=True, timeout=timeout, check=False
    )
    shown = "kubeling " + " ".join(arguments)
    assert done.returncode == 0, f"`{shown}` ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def program() -> list[str]:
    beside = Path(sys.executable).with_name("kubeling")
    return [str(beside)] if beside.exists() else ["kubeling"]


def lacking() -> str:
    """Why no containers can run on this machine; empty if they can."""
    if os.geteuid() != 0:
        return "containers need root"
    missing = [name for name in ("containerd", "runc", "nft") if not shutil.which(name, path=_path())]
    return f"{' and '.join(missing)} not installed" if missing else ""


def _path() -> str:
    return os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


def _end_of(file: Path) -> str:
    return "\n".join(file.read_text(errors="replace").splitlines()[-40:])
