"""The worker of one pod: level-triggered, it looks, begins what is missing, reports, and sleeps until woken.

    wanted ─────────> volumes ─> sandbox ─> init containers ─> containers run <─> back-off
       │                                                            │
       │ deleted, or gone from the API                              │ all have ended for good
       v                                                            v
    terminating: containers stop ─> freed ─> DELETE ─> finished     settled (records stay)

Where a pod stands is never stored: it is derived, each time, from the API's object and the runtime's report.
What wakes a worker: the informer, the runtime's events, alarms, the end of its own activities.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from kubeling.objects.meta import Object, is_terminating, metadata, timestamp
from kubeling.objects.tasks import Tasks
from runtime.errors import RuntimeServiceError
from runtime.pods.activities import Activities
from runtime.pods.admission.admit import admit, check_admission, release
from runtime.pods.containers.dead import begin_removal
from runtime.pods.context import NodeContext
from runtime.pods.deadline import check_deadline
from runtime.pods.environment.downward import shows_changed
from runtime.pods.identity import PodIdentity, is_static
from runtime.pods.progress import advance, set_up_volumes
from runtime.pods.references import pod_references
from runtime.pods.resize.allocation import applied
from runtime.pods.resize.decide import check_resize
from runtime.pods.resize.follow import go_on
from runtime.pods.status import phase as phases
from runtime.pods.status.pod import Verdict
from runtime.pods.status.report import report
from runtime.pods.status.writer import StatusWriter
from runtime.pods.termination import terminate
from runtime.pods.used_volumes import used_volumes
from runtime.pods.view import PodView
from runtime.pods.work import PodWork

logger = logging.getLogger(__name__)

END_DELAYS = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 10.0)
"""Seconds between looks at a container that is said to have ended; a busy machine may need some."""
LOOK_AGAIN = 1.0
"""Seconds after which the runtime is asked again when it did not answer."""


class PodWorker:
    """`run` it once; the other methods tell it what happened and return at once."""

    def __init__(
        self, context: NodeContext, identity: PodIdentity, pod: Object | None, *, known: bool
    ) -> None:
        """`known` says that the runtime may have something of the pod; then it is asked before anything."""
        self.woken: Callable[[], None] = lambda: None
        """Is called at each wake, for those who do not `run` the worker but let it take its `turn`."""
        self._woken = asyncio.Event()
        self._dirty: set[str] = set()
        self._relist = known
        self.work = PodWork(
            context=context,
            identity=identity,
            pod=pod or {},
            seen_at=context.clock.monotonic(),
            gone=pod is None,
            wake=self.wake,
            view=PodView(context.runtime, identity, context.clock),
            activities=Activities(identity, clock=context.clock, alarms=context.alarms, wake=self.wake),
            writer=StatusWriter(context.client, context.clock, identity),
        )
        self._probing = context.probing(self.work)
        if pod is not None and is_static(pod):
            self.work.writer.await_mirror()
        if pod is not None:
            self.work.allocation = context.files.kept(self.work.paths)
            self._take(pod)
            if known and not self._is_over():
                admit(self.work)

    def wake(self) -> None:
        if not self._woken.is_set():
            self._woken.set()
            self.woken()

    def update(self, pod: Object) -> None:
        """The API shows the pod like this."""
        if metadata(pod).get("resourceVersion") == self.work.writer.version:
            self._take(pod)  # the worker's own report has come back: nothing is new to it
            return
        if _asks_for(pod) != _asks_for(self.work.pod) or is_terminating(pod):
            self.work.activities.clear_delays()
        self._take(pod)
        self.wake()

    def mirrored(self, mirror: Object) -> None:
        """The API shows the static pod like this."""
        if metadata(mirror).get("resourceVersion") == self.work.writer.version:
            return
        self.work.writer.mirrored(mirror)
        self.wake()

    def end(self) -> None:
        """The static pod's file is gone: it ends as one that is deleted."""
        if is_terminating(self.work.pod):
            return
        grace = self.work.spec.get("terminationGracePeriodSeconds", 30)
        now = timestamp(self.work.context.clock.now())
        self._mark(deletionTimestamp=now, deletionGracePeriodSeconds=grace)
        self.work.activities.clear_delays()
        self.wake()

    def _mark(self, **fields: object) -> None:
        """Put these into the metadata of a pod that is not the API's."""
        work = self.work
        work.pod, work.desired = (
            {**each, "metadata": {**metadata(each), **fields}} for each in (work.pod, work.desired)
        )

    def condemn(self, verdict: Verdict) -> None:
        """The node has decided over the pod, unless that is over anyhow."""
        if not self._is_over() and not self.work.gone:
            self.work.verdict = verdict
            self.wake()

    @property
    def over(self) -> bool:
        """Whether nothing of the pod runs any more, and the API knows it."""
        return self.work.finished or (self.work.settled and self.work.writer.settled)

    def retry(self) -> None:
        """Something that the pod depends on changed: what failed may be tried again at once."""
        self.work.activities.clear_delays()
        self.wake()

    @property
    def idle(self) -> bool:
        """Whether it has nothing to do at this moment, and the API its newest status."""
        return not self._woken.is_set() and self.work.writer.settled

    def removed(self) -> None:
        """The API has the pod no more; others are given at once what it had, as the scheduler sees it."""
        self.work.gone = True
        release(self.work)
        self.work.writer.abandon()
        self.wake()

    def sources_changed(self) -> None:
        """A ConfigMap or Secret of the pod changed: its files follow, what failed is tried again."""
        self.work.activities.clear_delays()
        self.work.volumes_stale = True
        self.wake()

    def runtime_changed(self, runtime_id: str) -> None:
        """Something happened to a container or sandbox; "" when it may be anything."""
        if not runtime_id:
            self._relist = True
        elif runtime_id in self.work.view:
            self._dirty.add(runtime_id)
        else:
            return
        self.wake()

    def stopped(self, runtime_id: str) -> None:
        """The runtime has told that a container or sandbox ended."""
        if self.work.view.is_live(runtime_id):
            self.work.activities.begin(f"end/{runtime_id}", partial(self._see_end, runtime_id))

    async def run(self) -> None:
        """Until nothing of the pod is left."""
        self.wake()
        async with Tasks(f"worker-{self.work.identity.namespace}-{self.work.identity.name}") as tasks:
            tasks.start(self.work.writer.run(), name="status")
            while not self.work.finished:
                await self._woken.wait()
                await self.turn()
        await self._probing.stop()
        await self.work.activities.stop()
        self.work.context.tally.forget_probes(self.work.identity)

    async def turn(self) -> None:
        """Look, and begin what is missing."""
        self._woken.clear()
        if not self.work.finished and await self._look():
            self._step()

    def pass_turn(self) -> None:
        """Let the turn go by: the worker must be woken again."""
        self._woken.clear()

    async def stop(self, *, within: float = 0.0) -> None:
        """End what the worker has under way, not the pod; half-done steps get so many seconds."""
        await self._probing.stop()
        await self.work.activities.finish(within=within)

    def _take(self, pod: Object) -> None:
        if self.work.pod and shows_changed(self.work.pod, pod):
            self.work.volumes_stale = True
            self.wake()
        if self.work.pod and len(used_volumes(self.work.pod)) < len(used_volumes(pod)):
            self.work.volumes_ready = False  # an ephemeral container has one more
        self.work.desired, self.work.pod = pod, applied(pod, self.work.allocation)
        self.work.writer.saw(pod)
        self.work.context.sources.hold(self.work.identity.uid, pod_references(pod))

    async def _look(self) -> bool:
        """Read from the runtime what changed; False when it does not answer: then nothing may be decided."""
        relist, dirty = self._relist, self._dirty
        self._relist, self._dirty = False, set()
        try:
            if relist:
                await self.work.view.relist()
            elif dirty:
                await self.work.view.refresh(dirty)
        except RuntimeServiceError as error:
            logger.warning("pod %s: the runtime does not answer: %s", self.work.identity, error)
            self._relist, self._dirty = relist, self._dirty | dirty
            self.work.context.alarms.set((self.work.identity.uid, "look"), LOOK_AGAIN)
            return False
        return True

    async def _see_end(self, runtime_id: str) -> None:
        """Read what ended. containerd's CRI notes an end only in the moment after it is told of."""
        for delay in END_DELAYS:
            await self.work.context.clock.sleep(delay)
            try:
                await self.work.view.refresh([runtime_id])
            except RuntimeServiceError:
                self._relist = True
                return
            if not self.work.view.is_live(runtime_id):
                return
        logger.warning("the runtime told that %s has ended, but its status does not show it", runtime_id)

    def _step(self) -> None:
        work = self.work
        if work.finished:
            return
        self._probing.sync()
        if work.gone or is_terminating(work.pod) or self._is_over():
            terminate(work)
            if self._shows_its_end() and phases.is_terminal(report(work)["phase"]):
                release(work)
            return
        check_deadline(work)
        check_admission(work)
        if not work.admitted and work.verdict is None:
            return
        if work.verdict is None:
            check_resize(work)
            advance(work)
            go_on(work)
            self._refresh_volumes()
            begin_removal(work)
        if self._is_passing():
            return
        status = report(work)
        check_deadline(work)  # the first report says since when the pod is active
        if phases.is_terminal(status["phase"]):
            release(work)  # before the API shows it, and the scheduler gives others what it had
        if phases.is_terminal(status["phase"]) or work.verdict is not None:
            self.wake()

    def _shows_its_end(self) -> bool:
        """Whether what is left of a pod that ends is worth a report: the last one comes with its phase."""
        if self.work.gone or self.work.activities.any("tear-down", "settle") or self._is_passing():
            return False
        return any(self.work.view.observed.running()) or not self.work.activities.any("stop")

    def _is_passing(self) -> bool:
        """Whether the next state comes at once: then this one is not worth a report."""
        work = self.work
        if work.slow or not (work.context.instant and work.activities.brief):
            work.slow = False
            return False
        return True

    def _is_over(self) -> bool:
        return self.work.verdict is not None or phases.is_terminal(self.work.writer.latest.get("phase", ""))

    def _refresh_volumes(self) -> None:
        work = self.work
        stale = work.volumes_stale or work.context.is_due(work.identity.uid)
        if stale and work.volumes_ready and "volumes" not in work.activities:
            work.activities.begin("volumes", partial(set_up_volumes, work))


def _asks_for(pod: Object) -> object:
    """Changes with whatever a start that failed may have failed for."""
    held = metadata(pod)
    return held.get("generation"), held.get("labels"), held.get("annotations")
