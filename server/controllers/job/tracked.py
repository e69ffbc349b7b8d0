"""A job and its pods, as one reconcile sees them: what is active, what has ended, what is counted already.

A pod is counted once: while it has the finalizer `batch.kubernetes.io/job-tracking` and its uid is not among
the job's uncounted ones, it is new. What becomes of the counts is in `accounting`.
"""

from collections.abc import Callable, Iterable

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.job.failure_policy import judge
from server.controllers.job.indexes import UNKNOWN, Indexes, index_of
from server.controllers.owned import pods as owned

TRACKING = "batch.kubernetes.io/job-tracking"


def has_finalizer(pod: Object) -> bool:
    return TRACKING in (meta.metadata(pod).get("finalizers") or ())


def is_indexed(job: Object) -> bool:
    return bool(job["spec"].get("completionMode") == "Indexed")


def limits_each_index(job: Object) -> bool:
    return is_indexed(job) and job["spec"].get("backoffLimitPerIndex") is not None


def is_suspended(job: Object) -> bool:
    return bool(job["spec"].get("suspend"))


def replaces_only_failed(job: Object) -> bool:
    """Whether a pod that is being deleted is replaced only when it has ended."""
    return job["spec"].get("podReplacementPolicy") == "Failed" or "podFailurePolicy" in job["spec"]


def has_succeeded(pod: Object) -> bool:
    return owned.phase(pod) == "Succeeded"


def is_terminating(pod: Object) -> bool:
    """Whether the pod is being deleted and has not ended."""
    return meta.is_terminating(pod) and not owned.is_finished(pod)


class Tracked:
    """`job` is the reconcile's own copy, the pods are shared; `handled` are the uids of those whose finalizer
    has been removed, though the cache may not show it yet."""

    def __init__(self, job: Object, pods: list[Object], handled: frozenset[str]) -> None:
        self.job = job
        self.pods = pods
        self.handled = handled
        self.active = [pod for pod in pods if owned.is_active(pod)]
        self.active_count = len(self.active)
        self.ready = sum(owned.is_ready(pod) for pod in self.active)
        self.terminating = sum(is_terminating(pod) for pod in pods)
        self.succeeded_indexes, self.failed_indexes = Indexes(), Indexes()
        status = job.setdefault("status", {})
        uncounted = status.get("uncountedTerminatedPods") or {}
        self.uncounted_succeeded = frozenset(uncounted.get("succeeded") or ())
        self.uncounted_failed = frozenset(uncounted.get("failed") or ())
        self.newly_succeeded = list(self._new(self.uncounted_succeeded, has_succeeded))
        self.newly_failed = list(self._new(self.uncounted_failed, self.has_failed))
        self.failed = status.get("failed", 0) + len(self.uncounted_failed)
        self.failed += sum(judge(job, pod).counted for pod in self.newly_failed)
        if is_indexed(job):
            self._find_indexes(status)
            self.succeeded = len(self.succeeded_indexes)
        else:
            counted = status.get("succeeded", 0) + len(self.uncounted_succeeded)
            self.succeeded = counted + len(self.newly_succeeded)

    @property
    def spec(self) -> Object:
        spec: Object = self.job["spec"]
        return spec

    @property
    def status(self) -> Object:
        status: Object = self.job["status"]
        return status

    @property
    def completions(self) -> int | None:
        return self.spec.get("completions")

    def is_new(self, pod: Object) -> bool:
        """Whether the pod's finalizer is still to be removed."""
        return has_finalizer(pod) and meta.uid(pod) not in self.handled

    def has_failed(self, pod: Object) -> bool:
        """Pods that are deleted have failed, too, unless only ended ones are to be replaced."""
        if owned.phase(pod) == "Failed":
            return True
        deleted = meta.is_terminating(pod) and not has_succeeded(pod)
        return deleted and not replaces_only_failed(self.job)

    def valid_index(self, pod: Object) -> int:
        """The pod's index; UNKNOWN when it has none or one beyond the job's completions."""
        index = index_of(pod)
        return index if index < (self.completions or 0) else UNKNOWN

    def with_finalizer(self) -> Iterable[Object]:
        """New pods that count: of an indexed job those with a valid index."""
        for pod in self.pods:
            if self.is_new(pod) and not (is_indexed(self.job) and self.valid_index(pod) == UNKNOWN):
                yield pod

    def removed(self, pods: Iterable[Object]) -> None:
        """These active pods have been deleted by the reconcile."""
        for pod in pods:
            self.active_count -= 1
            self.terminating += 1
            self.ready -= owned.is_ready(pod)

    def _new(self, uncounted: frozenset[str], ended: Callable[[Object], bool]) -> Iterable[Object]:
        return (pod for pod in self.with_finalizer() if meta.uid(pod) not in uncounted and ended(pod))

    def _find_indexes(self, status: Object) -> None:
        completions = self.spec["completions"]
        counted = Indexes.parse(status.get("completedIndexes") or "", completions)
        done = (index_of(pod) for pod in self.with_finalizer() if has_succeeded(pod))
        self.succeeded_indexes = counted.with_indexes(done)
