"""The private containerd and the CRI client, against the real thing."""

import asyncio
import os
import signal
from contextlib import aclosing
from pathlib import Path

import pytest
from cri_api.v1 import api_pb2 as cri

from kubeling.objects.tasks import Tasks
from runtime.container_runtime import RuntimeEventKind
from runtime.cri.client import CriRuntime
from runtime.cri.containerd import PrivateContainerd
from runtime.errors import AlreadyExists, ImageArchiveError, NotFound, RuntimeFailed, RuntimeServiceError
from runtime.images.archived_images import read_images
from runtime.images.load import ImageLoader
from runtime.images.pause import PAUSE_IMAGE, docker_archive
from runtime.tests.image_archives import docker_image, oci_entries, tar

IMAGE = "docker.io/library/cri-test:1"


def sandbox_config(directory: Path, name: str = "pod") -> cri.PodSandboxConfig:
    return cri.PodSandboxConfig(
        metadata=cri.PodSandboxMetadata(name=name, uid=name, namespace="default"),
        hostname=name,
        log_directory=str(directory / "logs"),
        linux=cri.LinuxPodSandboxConfig(),
    )


def container_config(*command: str, name: str = "c") -> cri.ContainerConfig:
    return cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name=name),
        image=cri.ImageSpec(image=IMAGE),
        command=["/bin/busybox", *command],
        log_path=f"{name}.log",
        linux=cri.LinuxContainerConfig(),
    )


async def run(runtime: CriRuntime, loader: ImageLoader, directory: Path, *command: str) -> tuple[str, str]:
    """A sandbox with one started container: their ids."""
    (directory / "image.tar").write_bytes(docker_image("cri-test:1"))
    assert await loader.load(directory / "image.tar") == [IMAGE]
    config = sandbox_config(directory)
    sandbox = await runtime.run_pod_sandbox(config)
    container = await runtime.create_container(sandbox, container_config(*command), config)
    await runtime.start_container(container)
    return sandbox, container


async def test_a_container_lives_and_its_end_is_told(
    cri_runtime: CriRuntime, image_loader: ImageLoader, tmp_path: Path
) -> None:
    async with aclosing(cri_runtime.events()) as events:  # type: ignore[type-var]
        assert (await anext(events)).kind is RuntimeEventKind.RELIST
        _, container = await run(
            cri_runtime, image_loader, tmp_path, "sh", "-c", "echo hi; /bin/busybox sleep 0.2; exit 3"
        )
        async for event in events:
            if event.kind is RuntimeEventKind.STOPPED and event.id == container:
                break
    async with asyncio.timeout(10):  # its CRI notes an end a moment after containerd has told of it
        while (status := await cri_runtime.container_status(container)).state == cri.CONTAINER_RUNNING:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert (status.state, status.exit_code, status.reason) == (cri.CONTAINER_EXITED, 3, "Error")
    assert (tmp_path / "logs" / "c.log").read_text().endswith(" stdout F hi\n")


async def test_commands_stop_and_removal(
    cri_runtime: CriRuntime, image_loader: ImageLoader, tmp_path: Path
) -> None:
    sandbox, container = await run(cri_runtime, image_loader, tmp_path, "sleep", "1000")
    assert (await cri_runtime.pod_sandbox_status(sandbox)).network.ip.startswith("10.89.77.")
    script = ["/bin/busybox", "sh", "-c", "echo out; echo err >&2; exit 4"]
    result = await cri_runtime.exec_sync(container, script, timeout=10)
    assert (result.stdout, result.stderr, result.exit_code) == (b"out\n", b"err\n", 4)
    await cri_runtime.stop_container(container, timeout=0)
    assert (await cri_runtime.container_status(container)).state == cri.CONTAINER_EXITED
    for _ in range(2):
        await cri_runtime.stop_container(container, timeout=0)
        await cri_runtime.remove_container(container)
        await cri_runtime.stop_pod_sandbox(sandbox)
        await cri_runtime.remove_pod_sandbox(sandbox)
    assert not await cri_runtime.list_pod_sandboxes()


async def test_errors_are_told_by_kind(
    cri_runtime: CriRuntime, image_loader: ImageLoader, tmp_path: Path
) -> None:
    sandbox, _ = await run(cri_runtime, image_loader, tmp_path, "sleep", "1000")
    config = sandbox_config(tmp_path)
    with pytest.raises(AlreadyExists):
        await cri_runtime.run_pod_sandbox(config)
    with pytest.raises(NotFound):
        await cri_runtime.container_status("nonexistent")
    assert await cri_runtime.image_status("example.com/none:1") is None
    with pytest.raises(RuntimeServiceError, match="connection refused"):
        await cri_runtime.pull_image("127.0.0.1:1/none:1")
    bad = container_config(name="bad")
    bad.command[:] = ["/nope"]
    created = await cri_runtime.create_container(sandbox, bad, config)
    with pytest.raises(RuntimeFailed, match="no such file or directory"):
        await cri_runtime.start_container(created)


async def test_the_next_agent_adopts_containerd_and_its_containers(
    containerd: PrivateContainerd, cri_runtime: CriRuntime, image_loader: ImageLoader, tmp_path: Path
) -> None:
    _, container = await run(cri_runtime, image_loader, tmp_path, "sleep", "1000")
    pid = containerd.paths.pid_file.read_text()
    containerd.release()
    assert await containerd.start()
    assert containerd.paths.pid_file.read_text() == pid
    assert (await cri_runtime.container_status(container)).state == cri.CONTAINER_RUNNING


async def test_a_killed_containerd_is_started_again_and_containers_live_on(
    containerd: PrivateContainerd, cri_runtime: CriRuntime, image_loader: ImageLoader, tmp_path: Path
) -> None:
    _, container = await run(cri_runtime, image_loader, tmp_path, "sleep", "1000")
    async with Tasks("test") as tasks, aclosing(cri_runtime.events()) as events:  # type: ignore[type-var]
        assert (await anext(events)).kind is RuntimeEventKind.RELIST
        tasks.start(containerd.supervise(), name="supervise")
        await asyncio.sleep(0)
        os.kill(int(containerd.paths.pid_file.read_text()), signal.SIGKILL)
        assert (await asyncio.wait_for(anext(events), 20)).kind is RuntimeEventKind.RELIST
    assert (await cri_runtime.container_status(container)).state == cri.CONTAINER_RUNNING


async def test_images_are_loaded_by_their_full_names(
    cri_runtime: CriRuntime, image_loader: ImageLoader, tmp_path: Path
) -> None:
    archive = tmp_path / "image.tar"
    names = {
        "short:1": "docker.io/library/short:1",
        "latest": "docker.io/library/latest:latest",
        "a.example/x/y:2": "a.example/x/y:2",
    }
    for written, full in names.items():
        archive.write_bytes(tar(oci_entries(written, files={"name": written.encode()})))
        assert await image_loader.load(archive) == [full]
        image = await cri_runtime.image_status(written)
        assert image is not None
        assert full in image.repo_tags


async def test_loading_a_name_again_replaces_the_image(
    cri_runtime: CriRuntime, image_loader: ImageLoader, tmp_path: Path
) -> None:
    ids = []
    for content in (b"one", b"two"):
        (tmp_path / "image.tar").write_bytes(docker_image("cri-test:1", files={"content": content}))
        await image_loader.load(tmp_path / "image.tar")
        image = await cri_runtime.image_status(IMAGE)
        assert image is not None
        ids.append(image.id)
    assert ids[0] != ids[1]


async def test_a_bad_archive_is_refused_and_the_pause_image_is_there(
    cri_runtime: CriRuntime, image_loader: ImageLoader, tmp_path: Path
) -> None:
    (tmp_path / "bad.tar").write_bytes(b"garbage")
    with pytest.raises(ImageArchiveError):
        await image_loader.load(tmp_path / "bad.tar")
    assert await cri_runtime.image_status(PAUSE_IMAGE) is not None
    assert not await image_loader.ensure_pause_image()


async def test_an_image_without_a_name_is_known_by_its_digest(
    cri_runtime: CriRuntime, image_loader: ImageLoader, tmp_path: Path
) -> None:
    archive = tmp_path / "image.tar"
    archive.write_bytes(tar(oci_entries(None, files={"content": b"nameless"})))
    (name,) = await image_loader.load(archive)
    assert name.startswith("kubeling.local/loaded@sha256:")
    assert await cri_runtime.image_status(name) is not None
    assert await image_loader.load(archive, name="given:2") == ["docker.io/library/given:2"]


async def test_layers_that_are_there_may_be_left_out(
    cri_runtime: CriRuntime, image_loader: ImageLoader, tmp_path: Path
) -> None:
    archive, entries = tmp_path / "image.tar", oci_entries("first:1", files={"content": b"shared"})
    archive.write_bytes(tar(entries))
    await image_loader.load(archive)
    layer = read_images(archive)[0].blobs[1].digest
    rest = {name: content for name, content in entries.items() if name[-64:] != layer[-64:]}
    archive.write_bytes(tar(rest))
    assert await image_loader.load(archive, name="second:1") == ["docker.io/library/second:1"]


async def test_nothing_is_left_of_an_image_that_cannot_be_unpacked(
    cri_runtime: CriRuntime, image_loader: ImageLoader, tmp_path: Path
) -> None:
    (tmp_path / "bad.tar").write_bytes(docker_archive("bad:1", layer=b"no tar" * 1000, config={}))
    with pytest.raises(ImageArchiveError, match="could not import"):
        await image_loader.load(tmp_path / "bad.tar")
    assert await cri_runtime.image_status("docker.io/library/bad:1") is None
    assert [file.name for file in tmp_path.iterdir()] == ["bad.tar"]
