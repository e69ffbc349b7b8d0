"""Pods that were to be disrupted and were not: after two minutes their DisruptionTarget condition is False.

The key is the pod. What a kubelet says of its own pods stands: it may take any time to end them.
"""

from datetime import timedelta

from kubeling.client import DONE, STRATEGIC_PATCH, ControllerRunner, Result
from kubeling.client.resources import PODS
from kubeling.objects import conditions, meta
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object
from server.controllers.context import Context
from server.controllers.owned.pods import is_finished

TIMEOUT = timedelta(minutes=2)
_TARGET = "DisruptionTarget"


def runner(context: Context) -> ControllerRunner:
    pods = context.client.informer(PODS)

    async def reconcile(key: str) -> Result:
        pod = pods.get(*meta.split_key(key))
        if pod is None or not is_doubtful(pod):
            return DONE
        condition = conditions.find(pod, _TARGET) or {}
        since = meta.parse_timestamp(condition["lastTransitionTime"])
        left = (since + TIMEOUT - context.clock.now()).total_seconds()
        if left > 0:
            return Result(requeue_after=left)
        await _take_back(context, pod)
        return DONE

    made = ControllerRunner("disruption-stale-pods", reconcile, clock=context.clock)
    made.watches(pods, lambda pod: meta.key(pod) if is_doubtful(pod) else None)
    return made


def is_doubtful(pod: Object) -> bool:
    """Whether the pod is said to be disrupted and shows no sign of it."""
    condition = conditions.find(pod, _TARGET)
    return (
        condition is not None
        and condition.get("status") == "True"
        and condition.get("reason") != "TerminationByKubelet"
        and bool(condition.get("lastTransitionTime"))
        and not meta.is_terminating(pod)
        and not is_finished(pod)
    )


async def _take_back(context: Context, pod: Object) -> None:
    now = meta.timestamp(context.clock.now())
    condition: Object = {"type": _TARGET, "status": "False", "lastTransitionTime": now}
    if generation := meta.metadata(pod).get("generation"):
        condition["observedGeneration"] = generation
    own = {"uid": meta.uid(pod), "resourceVersion": meta.resource_version(pod)}
    patch = {"metadata": own, "status": {"conditions": [condition]}}
    try:
        await context.client.patch(
            PODS,
            meta.name(pod),
            patch,
            namespace=meta.namespace(pod),
            subresource="status",
            content_type=STRATEGIC_PATCH,
        )
    except NotFound:
        return
