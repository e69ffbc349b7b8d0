"""Counts for each budget: on every change of it and of its pods, and when an eviction is overdue.

The key is the budget. A pod is looked at only in namespaces that have budgets, and only when a change of it
can change a count.
"""

import logging
from collections.abc import Iterable

from kubeling.client import DONE, Result
from kubeling.client.index import Index
from kubeling.client.resources import POD_DISRUPTION_BUDGETS, PODS
from kubeling.objects import conditions, meta
from kubeling.objects.errors import ApiError, Conflict, NotFound
from kubeling.objects.labels import NOTHING, Predicate, SelectorError, from_label_selector
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller
from server.controllers.disruption import counting, stale_condition
from server.controllers.disruption.scales import Expected, Scales, ScaleUnknown
from server.controllers.owned.pace import PacedRunner

logger = logging.getLogger(__name__)

_UNMANAGED = (
    "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As a result, the"
    " status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account"
    ' for these pods please set ".spec.minAvailable" field of the PDB to an integer value.'
)


def make(context: Context) -> Controller:
    return _Controller(context)


class _Controller:
    """The counting of budgets, and the taking back of stale conditions."""

    def __init__(self, context: Context) -> None:
        self._disruption = disruption = Disruption(context)
        budgets = PacedRunner("disruption", disruption.reconcile, clock=context.clock)
        budgets.watches(disruption.budgets)
        for informer in (disruption.pods, *disruption.scales.informers):
            budgets.reads(informer)
        self._pace = budgets.pace
        disruption.pods.add_handler(self._pod_changed)
        self._runners = (budgets, stale_condition.runner(context))

    @property
    def idle(self) -> bool:
        return all(runner.idle for runner in self._runners)

    def start(self) -> None:
        for runner in self._runners:
            runner.start()

    async def stop(self) -> None:
        for runner in self._runners:
            await runner.stop()

    def _pod_changed(self, kind: str, pod: Object, old: Object | None) -> None:
        for budget in self._disruption.concerned(kind, pod, old):
            expected = (budget.get("status") or {}).get("expectedPods") or 0
            self._pace.wake_soon(meta.key(budget), expected)


class Disruption:
    def __init__(self, context: Context) -> None:
        self.budgets = context.client.informer(POD_DISRUPTION_BUDGETS)
        self.pods = context.client.informer(PODS)
        self.scales = Scales(context.client)
        self._by_namespace = Index(self.budgets, lambda budget: (meta.namespace(budget),))
        self._client = context.client
        self._clock = context.clock
        self._recorder = context.recorder("controllermanager")

    def concerned(self, kind: str, pod: Object, old: Object | None) -> Iterable[Object]:
        """The budgets that a change of a pod may matter to."""
        budgets = self._by_namespace.get(meta.namespace(pod))
        if not budgets or (kind == "MODIFIED" and old is not None and _counts_alike(pod, old)):
            return ()
        seen = [pod] if old is None else [pod, old]
        found = [each for each in budgets if any(_selects(each)(meta.labels(state)) for state in seen)]
        if len(found) > 1 and kind == "ADDED":
            self._warn_of_several(pod, found[0])
        return found

    async def reconcile(self, key: str) -> Result:
        budget = self.budgets.get(*meta.split_key(key))
        if budget is None:
            return DONE
        try:
            return await self._count(budget)
        except Conflict:
            raise
        except (ApiError, ScaleUnknown) as error:
            logger.info("disruption budget %s cannot be counted: %s", key, error)
            await self._write(budget, counting.failed(budget, str(error), self._clock.now()))
            return DONE

    async def _count(self, budget: Object) -> Result:
        selects = _selects(budget)
        pods = [pod for pod in self.pods.list(meta.namespace(budget)) if selects(meta.labels(pod))]
        if not pods:
            self._recorder.event(budget, "Normal", "NoPods", "No matching pods found")
        expected, desired = await self._expected(budget, pods)
        now = self._clock.now()
        found = counting.disrupted(budget, pods, now)
        for pod in found.overdue:
            space = meta.namespace(budget)
            why = f"Pod was expected by PDB {space}/{meta.name(budget)} to be deleted but it wasn't"
            self._recorder.event(pod, "Warning", "NotDeleted", why)
        current = counting.healthy(pods, found.since, now)
        wanted = counting.status(
            budget, current=current, desired=desired, expected=expected, going=found.since, now=now
        )
        if not counting.is_current(budget, wanted):
            await self._write(budget, wanted)
        if found.recheck is None:
            return DONE
        return Result(requeue_after=(found.recheck - now).total_seconds() + 1)

    async def _expected(self, budget: Object, pods: list[Object]) -> tuple[int, int]:
        """How many pods there should be, and how many of them healthy."""
        spec = budget.get("spec") or {}
        most, least = spec.get("maxUnavailable"), spec.get("minAvailable")
        if most is not None:
            total = await self._total(budget, pods)
            return total, max(total - counting.scaled(most, total), 0)
        if isinstance(least, str):
            total = await self._total(budget, pods)
            return total, counting.scaled(least, total)
        return (len(pods), least) if least is not None else (0, 0)

    async def _total(self, budget: Object, pods: list[Object]) -> int:
        try:
            expected: Expected = await self.scales.expected(pods)
        except (ApiError, ScaleUnknown) as error:
            why = f"Failed to calculate the number of expected pods: {error}"
            self._recorder.event(budget, "Warning", "CalculateExpectedPodCountFailed", why)
            raise
        if expected.unmanaged:
            told = _UNMANAGED.format(_as_text(budget["spec"].get("selector")))
            self._recorder.event(budget, "Warning", "UnmanagedPods", told)
        return expected.pods

    async def _write(self, budget: Object, status: Object) -> None:
        try:
            await self._client.update(
                POD_DISRUPTION_BUDGETS, {**budget, "status": status}, subresource="status"
            )
        except NotFound:
            return

    def _warn_of_several(self, pod: Object, chosen: Object) -> None:
        which = f'Pod "{meta.namespace(pod)}"/"{meta.name(pod)}" matches multiple PodDisruptionBudgets.'
        why = f'{which}  Chose "{meta.name(chosen)}" arbitrarily.'
        self._recorder.event(pod, "Warning", "MultiplePodDisruptionBudgets", why)


def _counts_alike(pod: Object, old: Object) -> bool:
    return (
        meta.labels(pod) == meta.labels(old)
        and meta.is_terminating(pod) == meta.is_terminating(old)
        and conditions.is_true(pod, "Ready") == conditions.is_true(old, "Ready")
        and meta.controller_of(pod) == meta.controller_of(old)
    )


def _selects(budget: Object) -> Predicate:
    try:
        return from_label_selector((budget.get("spec") or {}).get("selector")).predicate()
    except SelectorError:
        return NOTHING.predicate()


def _as_text(selector: Object | None) -> str:
    """As upstream prints a LabelSelector."""
    labels = "".join(f"{key}: {value}," for key, value in ((selector or {}).get("matchLabels") or {}).items())
    terms = "".join(
        f"LabelSelectorRequirement{{Key:{each['key']},Operator:{each['operator']},"
        f"Values:[{' '.join(each.get('values') or ())}],}},"
        for each in (selector or {}).get("matchExpressions") or ()
    )
    listed = f"MatchExpressions:[]LabelSelectorRequirement{{{terms}}}"
    return f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},{listed},}}"
