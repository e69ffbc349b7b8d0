"""Starts a pod's sandbox: its directories, its cgroup's place, its network, its /etc/hosts."""

import logging
from pathlib import Path

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object
from runtime.errors import AlreadyExists, RuntimeServiceError
from runtime.pods.activities import RetryLater
from runtime.pods.hosts import hosts_file
from runtime.pods.sandbox_config import sandbox_config
from runtime.pods.work import PodWork

logger = logging.getLogger(__name__)

_NODE_HOSTS = Path("/etc/hosts")


def config_of(work: PodWork, attempt: int) -> cri.PodSandboxConfig:
    """The same for the same pod and attempt: containers need it again when they are made."""
    return sandbox_config(
        work.pod,
        attempt=attempt,
        log_directory=work.paths.logs,
        resolv_conf=work.context.resolv_conf(),
    )


async def start_sandbox(work: PodWork, attempt: int) -> None:
    """Raises: RetryLater."""
    work.paths.directory.mkdir(parents=True, exist_ok=True, mode=0o750)
    work.paths.logs.mkdir(parents=True, exist_ok=True)
    if attempt:
        work.events.normal("SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
        await _take_down_old(work)
    try:
        async with work.context.sandbox_starts:
            sandbox_id = await work.context.runtime.run_pod_sandbox(config_of(work, attempt))
    except RuntimeServiceError as error:
        await _failed(work, error, attempt)
        raise RetryLater(_delay(attempt)) from error
    await work.view.read_sandbox(sandbox_id)
    write_hosts_file(work)


async def _take_down_old(work: PodWork) -> None:
    """The old sandbox's network must be gone, and its containers dead, before there is a new one."""
    for sandbox_id in list(work.view.observed.sandboxes):
        await work.context.runtime.stop_pod_sandbox(sandbox_id)
        await work.view.read_sandbox(sandbox_id)
    await work.view.refresh([each.id for each in work.view.observed.running()])


async def _failed(work: PodWork, error: RuntimeServiceError, attempt: int) -> None:
    work.events.warning("FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
    if isinstance(error, AlreadyExists):
        logger.info("sandbox %d of pod %s is reserved by an earlier attempt", attempt, work.identity)
    await work.view.relist()


def _delay(attempt: int) -> float:
    return min(1.0 + attempt * 2.0, 15.0)


def write_hosts_file(work: PodWork) -> None:
    """Written in place: the file is mounted into the containers."""
    sandbox = work.view.observed.ready_sandbox
    if sandbox is None:
        return
    text = hosts_file(
        work.pod,
        sandbox.ips,
        node_hosts=_node_hosts(work.pod),
        cluster_domain=work.context.cluster_domain,
    )
    if not work.paths.hosts_file.exists() or work.paths.hosts_file.read_text() != text:
        work.paths.hosts_file.write_text(text)
        work.paths.hosts_file.chmod(0o644)


def _node_hosts(pod: Object) -> str:
    if not (pod.get("spec") or {}).get("hostNetwork"):
        return ""
    try:
        return _NODE_HOSTS.read_text(errors="replace")
    except OSError:
        return ""
