"""The autoscaler: every 15 seconds it asks the metrics of each HorizontalPodAutoscaler and acts on them."""

import copy

from kubeling.client import DONE, ControllerRunner, Resource, Result
from kubeling.client.event_recorder import NORMAL, WARNING
from kubeling.client.resources import HORIZONTAL_POD_AUTOSCALERS, PODS
from kubeling.objects import conditions, meta, quantity
from kubeling.objects.labels import SelectorError, parse_selector
from kubeling.objects.meta import Object
from server.controllers.autoscaling.behavior import Decision, History, decide, lowest
from server.controllers.autoscaling.metrics_api import MetricsApi
from server.controllers.autoscaling.proposal import Proposal, ProposalError, Proposals, Situation
from server.controllers.autoscaling.replica_count import Tolerance
from server.controllers.autoscaling.target import Kinds, TargetError, Targets
from server.controllers.context import Context, Controller

NAME = "horizontal-pod-autoscaler"
PERIOD = 15.0
ABLE, ACTIVE, LIMITED = "AbleToScale", "ScalingActive", "ScalingLimited"


def make(context: Context) -> Controller:
    autoscalers = Autoscalers(context)
    runner = ControllerRunner(NAME, autoscalers.reconcile, clock=context.clock, workers=5)

    def changed(kind: str, hpa: Object, old: Object | None) -> None:
        if kind == "DELETED" or old is None or hpa["spec"] != old["spec"]:
            runner.queue.add(meta.key(hpa))

    autoscalers.hpas.add_handler(changed)
    runner.reads(autoscalers.hpas)
    runner.reads(autoscalers.pods)
    return runner


class _NothingComputed(Exception):
    """No metric says how many replicas there should be; conditions and events have been told."""


class Autoscalers:
    def __init__(self, context: Context) -> None:
        self.hpas = context.client.informer(HORIZONTAL_POD_AUTOSCALERS)
        self.pods = context.client.informer(PODS)
        self._client = context.client
        self._clock = context.clock
        self._recorder = context.recorder(NAME)
        kinds = Kinds(context.client)
        self._targets = Targets(context.client, kinds)
        self._proposals = Proposals(MetricsApi(context.client, kinds))
        self._histories: dict[str, History] = {}
        self._selectors: dict[str, str] = {}
        """By key, the selector that the target of each has: two must not select the same pods."""

    async def reconcile(self, key: str) -> Result:
        shown = self.hpas.get(*meta.split_key(key))
        if shown is None:
            self._histories.pop(key, None)
            self._selectors.pop(key, None)
            return DONE
        hpa = copy.deepcopy(shown)
        hpa.setdefault("status", {})
        await self._sync(key, hpa)
        if hpa["status"] != (shown.get("status") or {}):
            await self._client.update(HORIZONTAL_POD_AUTOSCALERS, hpa, subresource="status")
        return Result(requeue_after=PERIOD)

    async def _sync(self, key: str, hpa: Object) -> None:
        try:
            resource, scale = await self._targets.scale_of(hpa)
        except TargetError as error:
            self._recorder.event(hpa, WARNING, "FailedGetScale", str(error))
            text = f"the HPA controller was unable to get the target's current scale: {error}"
            self._set(hpa, ABLE, False, "FailedGetScale", text)
            return
        text = "the HPA controller was able to get the target's current scale"
        self._set(hpa, ABLE, True, "SucceededGetScale", text)
        current: int = scale.get("spec", {}).get("replicas", 0)
        history = self._histories.setdefault(key, History())
        history.begin(current, self._clock.monotonic())
        try:
            wanted, reason = await self._wanted(key, hpa, scale, history)
        except _NothingComputed as error:
            hpa["status"]["currentReplicas"] = current
            self._recorder.event(hpa, WARNING, "FailedComputeMetricsReplicas", str(error))
            return
        if wanted != current and not await self._rescale(hpa, resource, scale, wanted, reason):
            hpa["status"]["currentReplicas"] = current
            return
        if wanted != current:
            now = self._clock.monotonic()
            history.scaled(hpa["spec"].get("behavior"), before=current, after=wanted, now=now)
            hpa["status"]["lastScaleTime"] = meta.timestamp(self._clock.now())
        hpa["status"] |= {"currentReplicas": current, "desiredReplicas": wanted}

    async def _wanted(self, key: str, hpa: Object, scale: Object, history: History) -> tuple[int, str]:
        """How many replicas there are to be, and why. Notes the metrics in the status.

        Raises: _NothingComputed.
        """
        spec, current = hpa["spec"], scale.get("spec", {}).get("replicas", 0)
        hpa["status"]["currentMetrics"] = None
        if not current and lowest(spec):
            text = "scaling is disabled since the replica count of the target is zero"
            self._set(hpa, ACTIVE, False, "ScalingDisabled", text)
            return 0, ""
        if current > spec["maxReplicas"]:
            return spec["maxReplicas"], "Current number of replicas above Spec.MaxReplicas"
        if current < lowest(spec):
            return lowest(spec), "Current number of replicas below Spec.MinReplicas"
        proposal = await self._propose(key, hpa, scale)
        decision = decide(
            spec, history, current=current, wanted=proposal.replicas, now=self._clock.monotonic()
        )
        self._note(hpa, decision)
        rises = proposal.replicas > current
        return decision.replicas, f"{proposal.metric} above target" if rises else "All metrics below target"

    async def _propose(self, key: str, hpa: Object, scale: Object) -> Proposal:
        """The highest of the metrics' proposals; none when it would be lower and a metric is not known."""
        situation = self._situation(key, hpa, scale)
        best: Proposal | None = None
        failures: list[ProposalError] = []
        statuses: list[Object] = []
        metrics: list[Object] = hpa["spec"].get("metrics") or []
        for metric in metrics:
            try:
                proposal = await self._proposals.propose(metric, situation)
            except ProposalError as error:
                self._recorder.event(hpa, WARNING, error.reason, str(error))
                failures.append(error)
                statuses.append({"type": ""})
                continue
            statuses.append(proposal.status)
            if best is None or not best.replicas or proposal.replicas > best.replicas:
                best = proposal
        hpa["status"]["currentMetrics"] = statuses
        if best is None or (failures and best.replicas < situation.spec_replicas):
            first = failures[0]
            text = f"the HPA was unable to compute the replica count: {first}"
            self._set(hpa, ACTIVE, False, first.reason, text)
            raise _NothingComputed(
                f"invalid metrics ({len(failures)} invalid out of {len(metrics)}), first error is:"
                f" {first.summary}"
            )
        text = f"the HPA was able to successfully calculate a replica count from {best.metric}"
        self._set(hpa, ACTIVE, True, "ValidMetricFound", text)
        return best

    def _situation(self, key: str, hpa: Object, scale: Object) -> Situation:
        namespace, status = meta.namespace(hpa), scale.get("status", {})
        selector = status.get("selector", "")
        if not selector:
            text = "the HPA target's scale is missing a selector"
            raise self._refusal(
                hpa, "SelectorRequired", "selector is required", reason="InvalidSelector", text=text
            )
        try:
            matches = parse_selector(selector).predicate()
        except SelectorError as error:
            text = f"couldn't convert selector into a corresponding internal selector object: {error}"
            raise self._refusal(hpa, "InvalidSelector", text) from error
        self._selectors[key] = selector
        pods = [pod for pod in self.pods.list(namespace) if matches(meta.labels(pod))]
        if rivals := self._rivals(namespace, pods):
            text = f"pods by selector {selector} are controlled by multiple HPAs: {rivals}"
            raise self._refusal(hpa, "AmbiguousSelector", text)
        return Situation(
            namespace,
            scale.get("spec", {}).get("replicas", 0),
            status.get("replicas", 0),
            selector,
            pods,
            self._clock.now(),
            _tolerance(hpa["spec"].get("behavior") or {}),
        )

    def _rivals(self, namespace: str, pods: list[Object]) -> str:
        """The autoscalers whose targets share a pod, if there are several; "" otherwise."""
        found = []
        for key, selector in sorted(self._selectors.items()):
            space, name = meta.split_key(key)
            if space != namespace:
                continue
            matches = parse_selector(selector).predicate()
            if any(matches(meta.labels(pod)) for pod in pods):
                found.append(f"{{{name} {space}}}")
        return f"[{' '.join(found)}]" if len(found) > 1 else ""

    def _refusal(
        self, hpa: Object, event: str, message: str, *, reason: str = "", text: str = ""
    ) -> _NothingComputed:
        self._recorder.event(hpa, WARNING, event, message)
        self._set(hpa, ACTIVE, False, reason or event, text or message)
        return _NothingComputed(message)

    async def _rescale(
        self, hpa: Object, resource: Resource, scale: Object, wanted: int, reason: str
    ) -> bool:
        size = f"New size: {wanted}; reason: {reason}"
        try:
            await self._targets.rescale(resource, scale, wanted)
        except TargetError as error:
            self._recorder.event(hpa, WARNING, "FailedRescale", f"{size}; error: {error}")
            text = f"the HPA controller was unable to update the target scale: {error}"
            self._set(hpa, ABLE, False, "FailedUpdateScale", text)
            return False
        text = f"the HPA controller was able to update the target scale to {wanted}"
        self._set(hpa, ABLE, True, "SucceededRescale", text)
        self._recorder.event(hpa, NORMAL, "SuccessfulRescale", size)
        return True

    def _note(self, hpa: Object, decision: Decision) -> None:
        self._set(hpa, ABLE, True, *decision.able)
        self._set(hpa, LIMITED, decision.limited, *decision.limit)

    def _set(self, hpa: Object, kind: str, status: bool, reason: str, message: str) -> None:
        conditions.set_condition(
            hpa, kind, str(status), reason=reason, message=message, now=self._clock.now()
        )


def _tolerance(behavior: Object) -> Tolerance:
    default = Tolerance()
    up = (behavior.get("scaleUp") or {}).get("tolerance")
    down = (behavior.get("scaleDown") or {}).get("tolerance")
    return Tolerance(
        default.up if up is None else float(quantity.parse(up)),
        default.down if down is None else float(quantity.parse(down)),
    )
