"""Shuts the node down: all containers stop side by side, then the sandboxes. The pods stay in the API.

The next start finds what was stopped, and starts it again as the restart policies say.
"""

import asyncio
import logging
from collections.abc import Awaitable, Iterable
from pathlib import Path

from cri_api.v1 import api_pb2 as cri

from runtime.container_runtime import ContainerRuntime
from runtime.errors import RuntimeServiceError
from runtime.pods.cgroups.tree import CGROUP_ROOT, CgroupTree
from runtime.pods.identity import POD_TERMINATION_GRACE, POD_UID

logger = logging.getLogger(__name__)

LONGEST_GRACE = 5
"""Seconds that a container gets at most."""


async def stop_all(runtime: ContainerRuntime, *, cgroups: Path = CGROUP_ROOT) -> None:
    """Stop everything that runs and remove the pods' cgroups; what cannot be stopped is logged and left."""
    try:
        containers = await runtime.list_containers()
        sandboxes = await runtime.list_pod_sandboxes()
    except RuntimeServiceError as error:
        logger.warning("the runtime does not answer, its containers are left as they are: %s", error)
        return
    running = [each for each in containers if each.state == cri.CONTAINER_RUNNING]
    logger.info("stopping %d containers", len(running))
    await _all_of([_stop(runtime, each) for each in running])
    ready = [each for each in sandboxes if each.state == cri.SANDBOX_READY]
    await _all_of([runtime.stop_pod_sandbox(each.id) for each in ready])
    for uid in {each.labels.get(POD_UID, "") for each in sandboxes} - {""}:
        await asyncio.to_thread(CgroupTree(cgroups).remove_pod, uid)


async def _stop(runtime: ContainerRuntime, container: cri.Container) -> None:
    given = container.annotations.get(POD_TERMINATION_GRACE, "")
    wanted = int(given) if given.isdigit() else LONGEST_GRACE
    await runtime.stop_container(container.id, timeout=min(wanted, LONGEST_GRACE))


async def _all_of(work: Iterable[Awaitable[None]]) -> None:
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, RuntimeServiceError):
            logger.warning("while shutting down: %s", result)
        elif isinstance(result, BaseException):
            raise result
