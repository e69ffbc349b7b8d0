"""The way down: a pod that was deleted, that the API has no more, or that has finished.

containers stopped (`container_stop`) ──> final status ──> sandbox, volumes, cgroup
    ──> deleted: DELETE with grace 0 ──> records, logs and directory removed: finished
    ──> finished by itself: settled, its records stay for its logs until it is deleted
"""

import asyncio
import logging
from functools import partial

from kubeling.client.backoff import Backoff
from kubeling.client.errors import ConnectionLost
from kubeling.client.resources import PODS
from kubeling.objects.errors import ApiError, Conflict, NotFound
from kubeling.objects.meta import is_terminating, metadata
from runtime.errors import RuntimeServiceError
from runtime.pods.admission.admit import release
from runtime.pods.containers.dead import remove_remains
from runtime.pods.containers.stop import stop_all
from runtime.pods.identity import is_static
from runtime.pods.status.report import report
from runtime.pods.work import PodWork

logger = logging.getLogger(__name__)

DEFAULT_GRACE = 30


def terminate(work: PodWork) -> None:
    """Begin the next step down."""
    work.activities.interrupt()
    work.stopping, work.replaced = True, frozenset()
    stop_all(work, grace=_grace_left(work), in_order=not work.gone)
    if any(work.view.observed.running()) or work.activities.any(
        "start", "sandbox", "volumes", "stop", "stop-sandbox"
    ):
        return
    if work.gone or is_terminating(work.pod):
        work.activities.begin("tear-down", partial(_tear_down, work))
    elif not work.settled:
        work.activities.begin("settle", partial(_settle, work))


def _grace_left(work: PodWork) -> float:
    """Seconds until the pod must be down. A later, shorter wish shortens it, never the other way."""
    now = work.context.clock.monotonic()
    by = now + _grace(work)
    work.stop_by = by if work.stop_by is None else min(work.stop_by, by)
    return max(work.stop_by - now, 0.0)


def _grace(work: PodWork) -> float:
    if work.gone:
        return 0.0
    given = metadata(work.pod).get("deletionGracePeriodSeconds")
    if given is None:
        given = work.spec.get("terminationGracePeriodSeconds")
    wished = float(DEFAULT_GRACE if given is None else given)
    if work.verdict is None or work.verdict.grace is None:
        return wished
    return min(wished, work.verdict.grace)


async def _settle(work: PodWork) -> None:
    report(work, ended=True)
    release(work)
    await _free(work)
    if work.writer.latest.get("reason") == "Evicted":
        await remove_remains(work)
    work.settled = True


async def _tear_down(work: PodWork) -> None:
    if not work.gone and _is_seen(work):
        report(work, ended=True)
    release(work)
    await asyncio.gather(_free(work), _final_status(work))
    if not work.gone and not is_static(work.pod):
        await _delete(work)
    await _forget(work)


def _is_seen(work: PodWork) -> bool:
    """Whether the last status stays; where nothing takes time a pod without finalizers is gone at once."""
    return not work.context.instant or bool(metadata(work.pod).get("finalizers"))


async def _final_status(work: PodWork) -> None:
    if not work.gone and not is_static(work.pod):
        await work.writer.flush()


async def _free(work: PodWork) -> None:
    """Give back what the pod holds: its sandbox's network, its volumes, its cgroup."""
    await asyncio.gather(*(_stop_sandbox(work, each) for each in list(work.view.observed.sandboxes)))
    await work.context.volumes.tear_down(work.paths)
    await work.context.cgroups.free(work.identity.uid)
    work.volumes_ready = False


async def _stop_sandbox(work: PodWork, sandbox_id: str) -> None:
    try:
        await work.context.runtime.stop_pod_sandbox(sandbox_id)
    except RuntimeServiceError as error:
        said = f'failed to "KillPodSandbox" for "{work.identity.uid}" with KillPodSandboxError: "{error}"'
        work.events.warning("FailedKillPod", f"error killing pod: {said}")
        raise
    await work.view.read_sandbox(sandbox_id)


async def _delete(work: PodWork) -> None:
    """Tell the API that nothing of the pod is left. A pod of that name with another uid is none of ours."""
    backoff = Backoff(initial=0.1, factor=2, limit=10)
    while not work.gone:
        try:
            await work.context.client.delete(
                PODS,
                work.identity.name,
                namespace=work.identity.namespace,
                grace_period_seconds=0,
                preconditions={"uid": work.identity.uid},
            )
        except (NotFound, Conflict):
            return
        except (ConnectionLost, ApiError) as error:
            logger.debug("pod %s cannot be deleted yet: %s", work.identity, error)
            await work.context.clock.sleep(backoff.next())
        else:
            return


async def _forget(work: PodWork) -> None:
    await asyncio.gather(
        *(work.context.runtime.remove_pod_sandbox(each) for each in list(work.view.observed.sandboxes))
    )
    await work.context.files.remove(work.paths)
    work.context.sources.release(work.identity.uid)
    work.context.tokens.forget(work.identity.uid)
    if work.context.certificates is not None:
        work.context.certificates.forget(work.identity.uid)
    work.context.puller.forget(work.identity.uid)
    work.context.crashes.forget(f"{work.identity.uid}/")
    work.finished = True
