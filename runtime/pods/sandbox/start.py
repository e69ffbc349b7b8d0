"""Starts a pod's sandbox: its directories, its cgroup's place, its network, its /etc/hosts."""

import logging

from cri_api.v1 import api_pb2 as cri

from runtime.errors import AlreadyExists, RuntimeServiceError
from runtime.pods.activities import RetryLater
from runtime.pods.cgroups.tree import CgroupError
from runtime.pods.containers import user_namespaces
from runtime.pods.containers.user_namespaces import NoUserNamespace
from runtime.pods.sandbox.config import sandbox_config
from runtime.pods.sandbox.dns import PodDns, pod_dns
from runtime.pods.sandbox.hosts import NameTooLong, kernel_hostname
from runtime.pods.sandbox.runtime_class import NoHandler, handler_of
from runtime.pods.work import PodWork

logger = logging.getLogger(__name__)

NO_DIRECTORIES = 2.0
"""Seconds after which it is tried again to make a pod's directories."""


def config_of(work: PodWork, attempt: int) -> cri.PodSandboxConfig:
    """The same for the same pod and attempt: containers need it again when they are made.

    Raises:
        NameTooLong: the pod's name with its domain.
    """
    return sandbox_config(
        work.pod,
        attempt=attempt,
        log_directory=work.paths.logs,
        hostname=kernel_hostname(work.pod, work.context.kubelet.cluster_domain),
        dns=_dns(work).config,
        rules=work.context.rules,
        users=work.context.files.user_namespace(work),
    )


def _dns(work: PodWork) -> PodDns:
    return pod_dns(work.pod, work.context.resolv_conf(), work.context.cluster_dns)


def make_directories(work: PodWork) -> None:
    """Raises: RetryLater: the disk does not take them; an event says so."""
    try:
        work.context.files.begin(work.paths)
    except OSError as error:
        why = f"mkdir {error.filename}: {str(error.strerror).lower()}"
        work.events.warning("FailedToMakePodDataDirectories", f"error making pod data directories: {why}")
        raise RetryLater(NO_DIRECTORIES) from error


async def start_sandbox(work: PodWork, attempt: int) -> None:
    """Raises: RetryLater."""
    make_directories(work)
    if attempt:
        work.events.normal("SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
        await _take_down_old(work)
    try:
        sandbox_id = await _run(work, attempt)
    except CgroupError as error:
        work.events.warning("FailedToCreatePodContainer", f"unable to ensure pod container exists: {error}")
        raise RetryLater(_delay(attempt)) from error
    except (NoHandler, NoUserNamespace, NameTooLong, RuntimeServiceError) as error:
        work.context.tally.sandbox_failures += 1
        await _failed(work, error, attempt)
        raise RetryLater(_delay(attempt)) from error
    work.context.tally.started_sandboxes += 1
    await work.view.read_sandbox(sandbox_id)


async def _run(work: PodWork, attempt: int) -> str:
    handler = await handler_of(work.pod, work.context.client)
    if user_namespaces.wanted(work.pod):
        user_namespaces.check_runtime(work.context.abilities.runtime(), handler)
        work.context.files.user_namespace(work, allocate=True)
    config = config_of(work, attempt)
    for reason, message in _dns(work).complaints:
        work.events.warning(reason, message)
    async with work.context.sandbox_starts:
        await work.context.cgroups.make(work.pod)
        return await work.context.runtime.run_pod_sandbox(config, handler=handler)


async def _take_down_old(work: PodWork) -> None:
    """The old sandbox's network must be gone, and its containers dead, before there is a new one."""
    for sandbox_id in list(work.view.observed.sandboxes):
        await work.context.runtime.stop_pod_sandbox(sandbox_id)
        await work.view.read_sandbox(sandbox_id)
    await work.view.refresh([each.id for each in work.view.observed.running()])
    await work.context.cgroups.free(work.identity.uid)  # and what the runtime lost sight of with its shim


async def _failed(work: PodWork, error: Exception, attempt: int) -> None:
    work.events.warning("FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
    if isinstance(error, AlreadyExists):
        logger.info("sandbox %d of pod %s is reserved by an earlier attempt", attempt, work.identity)
    await work.view.relist()


def _delay(attempt: int) -> float:
    return min(1.0 + attempt * 2.0, 15.0)
