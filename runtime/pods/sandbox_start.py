"""Starts a pod's sandbox: its directories, its cgroup's place, its network, its /etc/hosts."""

import logging

from cri_api.v1 import api_pb2 as cri

from runtime.errors import AlreadyExists, RuntimeServiceError
from runtime.pods.activities import RetryLater
from runtime.pods.cgroup_tree import CgroupError
from runtime.pods.sandbox_config import sandbox_config
from runtime.pods.work import PodWork

logger = logging.getLogger(__name__)


def config_of(work: PodWork, attempt: int) -> cri.PodSandboxConfig:
    """The same for the same pod and attempt: containers need it again when they are made."""
    return sandbox_config(
        work.pod,
        attempt=attempt,
        log_directory=work.paths.logs,
        resolv_conf=work.context.resolv_conf(),
        rules=work.context.rules,
    )


async def start_sandbox(work: PodWork, attempt: int) -> None:
    """Raises: RetryLater."""
    work.context.files.begin(work.paths)
    if attempt:
        work.events.normal("SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
        await _take_down_old(work)
    try:
        async with work.context.sandbox_starts:
            await work.context.cgroups.ensure(work.pod)
            sandbox_id = await work.context.runtime.run_pod_sandbox(config_of(work, attempt))
    except CgroupError as error:
        work.events.warning("FailedToCreatePodContainer", f"unable to ensure pod container exists: {error}")
        raise RetryLater(_delay(attempt)) from error
    except RuntimeServiceError as error:
        await _failed(work, error, attempt)
        raise RetryLater(_delay(attempt)) from error
    await work.view.read_sandbox(sandbox_id)
    work.context.files.write_hosts(work)


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
