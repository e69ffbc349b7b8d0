"""A Job under test: made, changed, waited for; what it and its pods say.

Not here: what is expected of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from conformance import pods
from conformance.space import Space
from conformance.waiting import eventually

Object = dict[str, Any]
GROUP = "apis/batch/v1"
INDEX = "batch.kubernetes.io/job-completion-index"
NEVER_ENDS = pods.IDLE


@dataclass(frozen=True)
class Job:
    space: Space
    name: str = "job"

    @property
    def path(self) -> str:
        return self.space.path("jobs", self.name, group=GROUP)

    def start(self, script: str = "exit 0", *, annotations: Object | None = None, **spec: Any) -> Object:
        """Each pod runs the script; `restartPolicy` belongs to them."""
        policy = spec.pop("restartPolicy", "Never")
        main = pods.container(self.space.image, script, name="c")
        pod = {"restartPolicy": policy, "terminationGracePeriodSeconds": 1, "containers": [main]}
        template = {"metadata": {"labels": {"app": self.name}, "annotations": annotations or {}}, "spec": pod}
        obj = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": self.name},
            "spec": {**spec, "template": template},
        }
        made: Object = self.space.rest.post(self.space.path("jobs", group=GROUP), obj)
        return made

    def get(self) -> Object:
        found: Object = self.space.rest.get(self.path)
        return found

    def patch(self, **spec: Any) -> Object:
        done: Object = self.space.rest.patch(self.path, {"spec": spec})
        return done

    def until(self, holds: Callable[[Object], object], *, what: str, timeout: float = 60) -> Object:
        """The job as it is when `holds` is true of it."""

        def probe() -> Object | None:
            found = self.get()
            assert holds(found), found.get("status")
            return found

        return eventually(probe, what=f"job {self.name} {what}", timeout=timeout)

    def complete(self, *, timeout: float = 60) -> Object:
        return self.until(lambda job: is_true(job, "Complete"), what="is complete", timeout=timeout)

    def failed(self, *, timeout: float = 60) -> Object:
        return self.until(lambda job: is_true(job, "Failed"), what="has failed", timeout=timeout)

    def active(self, count: int) -> Object:
        return self.until(
            lambda job: job["status"].get("active", 0) == count == len(self.pods("Pending", "Running")),
            what=f"has {count} active pods",
        )

    def pods(self, *phases: str) -> list[Object]:
        """By their names; of these phases and not being deleted, or all."""
        found = self.space.rest.get(self.space.path("pods"), labelSelector=f"job-name={self.name}")["items"]
        chosen = [pod for pod in found if not phases or _stands(pod, phases)]
        return sorted(chosen, key=lambda pod: str(pod["metadata"]["name"]))

    def events(self) -> list[str]:
        return [event["reason"] for event in self.space.events(self.name)]


def condition(job: Object, kind: str) -> Object:
    """{} where it has none."""
    found = job.get("status", {}).get("conditions") or []
    return next((each for each in found if each["type"] == kind), {})


def is_true(job: Object, kind: str) -> bool:
    return bool(condition(job, kind).get("status") == "True")


def reason(job: Object, kind: str) -> tuple[str, str]:
    """Why, of a condition that is true."""
    found = condition(job, kind)
    assert found.get("status") == "True", job["status"]
    return found["reason"], found["message"]


def index_of(pod: Object) -> int:
    return int(pod["metadata"]["annotations"][INDEX])


def _stands(pod: Object, phases: tuple[str, ...]) -> bool:
    return "deletionTimestamp" not in pod["metadata"] and pod["status"].get("phase") in phases
