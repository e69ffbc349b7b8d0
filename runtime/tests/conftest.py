"""Fixtures that need a real containerd. Without one tests skip and say why; where CI=true they fail."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from runtime.container_runtime import ContainerRuntime
from runtime.cri import machine
from runtime.cri.client import CriRuntime
from runtime.cri.containerd import ContainerdPaths, PrivateContainerd
from runtime.errors import MachineNotReady
from runtime.images.load import ImageLoader
from runtime.images.pause import PAUSE_IMAGE
from runtime.network.bridge import PodNetwork
from runtime.network.setup import clean_up, set_up

CNI_BIN = ("/usr/lib/cni", "/opt/cni/bin")
POD_CIDR = "10.89.77.0/24"


@pytest.fixture(scope="session")
def machine_for_containers() -> None:
    """Fails or skips where containers cannot run."""
    try:
        if os.geteuid() != 0:
            raise MachineNotReady("containers need root")
        machine.require_binaries()
        machine.find_cni_dir(CNI_BIN)
    except MachineNotReady as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture
def node_directory(machine_for_containers: None) -> Iterator[Path]:
    """A short path on disk: sockets lie in it."""
    directory = Path(tempfile.mkdtemp(prefix="kl-"))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
async def containerd(node_directory: Path) -> AsyncIterator[PrivateContainerd]:
    """A private containerd with pause image and network; everything of it is taken away afterwards."""
    paths = ContainerdPaths(
        root=node_directory / "containerd",
        state=node_directory / "state",
        log=node_directory / "containerd.log",
        cni_conf=node_directory / "cni",
        registry_hosts=node_directory / "registries",
        cni_leases=node_directory / "leases",
    )
    network = PodNetwork(node_directory, (POD_CIDR,))
    leases = paths.cni_leases
    set_up(
        network,
        cluster_cidrs=[POD_CIDR],
        cni_bin=machine.find_cni_dir(CNI_BIN),
        cni_conf=paths.cni_conf,
        data_dir=leases,
    )
    containerd = PrivateContainerd(paths, cni_bin=CNI_BIN, sandbox_image=PAUSE_IMAGE)
    await containerd.start()
    try:
        yield containerd
    finally:
        async with CriRuntime(containerd.endpoint) as runtime:
            await _remove_all(runtime)
        await containerd.stop()
        await asyncio.to_thread(clean_up, network, data_dir=leases)


@pytest.fixture
async def cri_runtime(containerd: PrivateContainerd) -> AsyncIterator[CriRuntime]:
    async with CriRuntime(containerd.endpoint) as runtime:
        await loader_for(containerd, runtime).ensure_pause_image()
        yield runtime


@pytest.fixture
def image_loader(containerd: PrivateContainerd, cri_runtime: CriRuntime) -> ImageLoader:
    return loader_for(containerd, cri_runtime)


def loader_for(containerd: PrivateContainerd, runtime: CriRuntime) -> ImageLoader:
    return ImageLoader(
        containerd.endpoint, runtime, root=containerd.paths.data, snapshotter=containerd.snapshotter
    )


async def _remove_all(runtime: ContainerRuntime) -> None:
    for sandbox in await runtime.list_pod_sandboxes():
        await runtime.stop_pod_sandbox(sandbox.id)
        await runtime.remove_pod_sandbox(sandbox.id)
