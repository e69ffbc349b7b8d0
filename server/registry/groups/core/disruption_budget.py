"""What PodDisruptionBudgets have to say to an eviction: which covers a pod, and whether it lets one more go.

Their status is counted by the disruption controller; an eviction only takes from what it allows.
"""

from kubeling.objects import conditions, meta
from kubeling.objects.clock import Clock
from kubeling.objects.errors import Conflict, GroupResource, Timeout, TooManyRequests, forbidden
from kubeling.objects.labels import SelectorError, from_label_selector
from kubeling.objects.meta import Object
from server.registry.context import SYSTEM, RequestContext
from server.registry.environment import Environment
from server.registry.groups.policy import BUDGETS
from server.registry.update import write
from server.storage import Record

_MOST_DISRUPTED = 2000
"""Entries of status.disruptedPods: so many evictions may be unnoticed by the controller."""
_ATTEMPTS = 20
_RETRY_SECONDS = 10
_BUDGET = GroupResource("policy", "poddisruptionbudget")
_ALLOWED = "DisruptionAllowed"


def covering(env: Environment, pod: Record) -> list[Record]:
    """The budgets whose selectors match the pod; one with a selector that cannot be read matches none."""
    labels = pod.obj["metadata"].get("labels") or {}
    found = env.store.list(BUDGETS.stored_in, pod.namespace)
    return [budget for budget in found if _matches(budget.obj, labels)]


def _matches(budget: Object, labels: dict[str, str]) -> bool:
    selector = (budget.get("spec") or {}).get("selector")
    if selector is None:
        return False
    try:
        return from_label_selector(selector).matches(labels)
    except SelectorError:
        return False


def may_go_unhealthy(budget: Object, pod: Object) -> bool:
    """Whether the pod is not ready and may therefore go without the budget being asked."""
    if conditions.is_true(pod, "Ready"):
        return False
    if (budget.get("spec") or {}).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status") or {}
    desired = status.get("desiredHealthy", 0)
    return bool(status.get("currentHealthy", 0) >= desired > 0)


async def take(env: Environment, context: RequestContext, budget: Record, pod: str) -> None:
    """Take one disruption from what the budget allows, for the pod of that name.

    Raises:
        TooManyRequests: the budget allows none, or does not know yet.
        Forbidden: its status is not to be trusted.
        Timeout: others changed it all the time.
    """

    def wanted(record: Record) -> Object:
        _check(record.obj)
        obj = record.copy()
        _decrement(obj, pod, env.clock)
        return obj

    own = RequestContext(user=SYSTEM, dry_run=context.dry_run, field_manager="kube-apiserver")
    place = (budget.namespace, budget.name)
    try:
        await write(
            env,
            own,
            BUDGETS,
            *place,
            wanted=wanted,
            version=BUDGETS.version,
            subresource="status",
            attempts=_ATTEMPTS,
        )
    except Conflict as error:
        why = f'couldn\'t update PodDisruptionBudget "{budget.name}" due to conflicts'
        raise Timeout(f"Timeout: {why}", details={"retryAfterSeconds": _RETRY_SECONDS}) from error


def _decrement(budget: Object, pod: str, clock: Clock) -> None:
    status, now = budget["status"], clock.now()
    status["disruptionsAllowed"] -= 1
    status["disruptedPods"] = {**(status.get("disruptedPods") or {}), pod: meta.timestamp(now)}
    if status["disruptionsAllowed"] == 0:
        conditions.set_condition(budget, _ALLOWED, "False", reason="InsufficientPods", now=now)
        condition = conditions.find(budget, _ALLOWED) or {}
        condition.setdefault("message", "")
        if generation := status.get("observedGeneration"):
            condition["observedGeneration"] = generation


def _check(budget: Object) -> None:
    name, status = meta.name(budget), budget.get("status") or {}
    if status.get("observedGeneration", 0) < budget["metadata"].get("generation", 0):
        raise still_processed(name)
    allowed = status.get("disruptionsAllowed", 0)
    if allowed < 0:
        raise forbidden(_BUDGET, name, "pdb disruptions allowed is negative")
    if len(status.get("disruptedPods") or ()) > _MOST_DISRUPTED:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise forbidden(_BUDGET, name, why)
    if allowed == 0:
        raise _violated(_refusal(budget))


def still_processed(name: str) -> TooManyRequests:
    why = f"The disruption budget {name} is still being processed by the server."
    return _violated(why, retry_seconds=_RETRY_SECONDS)


def _violated(why: str, *, retry_seconds: int = 0) -> TooManyRequests:
    details: Object = {"causes": [{"reason": "DisruptionBudget", "message": why}]}
    if retry_seconds:
        details["retryAfterSeconds"] = retry_seconds
    message = "Cannot evict pod as it would violate the pod's disruption budget."
    return TooManyRequests(message, details=details)


def _refusal(budget: Object) -> str:
    name, status = meta.name(budget), budget.get("status") or {}
    condition = conditions.find(budget, _ALLOWED) or {}
    reason, message = condition.get("reason", ""), condition.get("message", "")
    told = condition.get("status") == "False" and message
    current, desired = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    refused = f"The disruption budget {name} does not allow evicting pods currently"
    if told and reason == "SyncFailed":
        return f"{refused} because it failed sync: {message}"
    if current <= desired:
        return f"The disruption budget {name} needs {desired} healthy pods and has {current} currently"
    return f"{refused} ({reason}): {message}" if told else refused
