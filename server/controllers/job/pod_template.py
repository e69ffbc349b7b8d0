"""A job's pods: the template with the tracking finalizer, and what makes the pod of an index its own."""

from typing import Any

from kubeling.client.resources import JOBS
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.job.indexes import INDEX
from server.controllers.job.per_index import failure_annotations
from server.controllers.job.tracked import TRACKING, limits_each_index
from server.controllers.owned.ownership import owner_reference
from server.controllers.owned.pod_control import pod_from_template

ENVIRONMENT = "JOB_COMPLETION_INDEX"
_LONGEST_PREFIX = 58
"""Characters of a generated name before its random part."""


def pod_of(job: Object) -> Object:
    pod = pod_from_template(job["spec"]["template"], job, owner_reference(job, JOBS))
    finalizers: list[str] = pod["metadata"].setdefault("finalizers", [])
    if TRACKING not in finalizers:
        finalizers.append(TRACKING)
    return pod


def pod_of_index(job: Object, index: int, replaced: Object | None) -> Object:
    """`replaced` is the failed pod of that index, where the job limits failures of each."""
    pod = pod_of(job)
    metadata = pod["metadata"]
    metadata["generateName"] = _prefix(meta.name(job), index)
    annotations = {INDEX: str(index)}
    if limits_each_index(job):
        annotations |= failure_annotations(job, replaced)
    metadata["annotations"] = metadata.get("annotations", {}) | annotations
    metadata["labels"] = metadata.get("labels", {}) | {INDEX: str(index)}
    pod["spec"]["hostname"] = f"{meta.name(job)}-{index}"
    for container in (*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]):
        _tell_index(container)
    return pod


def _prefix(job: str, index: int) -> str:
    suffix = f"-{index}-"
    return job[: _LONGEST_PREFIX - len(suffix)] + suffix


def _tell_index(container: dict[str, Any]) -> None:
    environment: list[Object] = container.setdefault("env", [])
    if all(variable["name"] != ENVIRONMENT for variable in environment):
        source = {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}}
        environment.append({"name": ENVIRONMENT, "valueFrom": source})
