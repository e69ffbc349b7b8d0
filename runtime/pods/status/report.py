"""Hands a pod's status to its writer, made from what the API, the runtime and the worker know now."""

from kubeling.objects.meta import Object
from runtime.pods.resize.report import IN_PROGRESS as RESIZE_IN_PROGRESS
from runtime.pods.resize.report import PENDING as PENDING_RESIZE
from runtime.pods.status.conditions import OWNED
from runtime.pods.status.phase import PENDING, RUNNING
from runtime.pods.status.pod import pod_status
from runtime.pods.work import PodWork

_OURS = (*OWNED, PENDING_RESIZE, RESIZE_IN_PROGRESS)


def report(work: PodWork, *, ended: bool = False) -> Object:
    """The status that the API has or is about to have."""
    pod = {**work.pod, "status": _present(work)}
    status = pod_status(
        pod,
        work.view.observed,
        work.knowledge,
        host_ips=work.context.host_ips,
        now=work.context.clock.now(),
        ended=ended,
        starting=work.activities.any("sandbox", "start"),
        verdict=work.verdict,
    )
    if status["phase"] == RUNNING and work.writer.latest.get("phase") == PENDING:
        work.context.tally.pod_starts.observe(work.context.clock.monotonic() - work.seen_at)
    work.writer.submit(status)
    return status


def _present(work: PodWork) -> Object:
    """The API's status, overlaid with what is on its way there; others' conditions are the API's."""
    shown: Object = work.pod.get("status") or {}
    latest = work.writer.latest
    others = [each for each in shown.get("conditions") or [] if each.get("type") not in _OURS]
    own = [each for each in latest.get("conditions") or [] if each.get("type") in _OURS]
    return {**shown, **latest, "conditions": [*own, *others]}
