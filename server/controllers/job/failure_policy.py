"""What a job's podFailurePolicy says of a failed pod. Pure functions."""

from collections.abc import Iterable
from typing import NamedTuple

from kubeling.objects import meta
from kubeling.objects.meta import Object


class Judgement(NamedTuple):
    """`action` is that of the rule that matched, "" without one; `message` is why the job fails, if so."""

    action: str = ""
    message: str = ""

    @property
    def counted(self) -> bool:
        """Whether the failure counts towards the back-off limits."""
        return self.action != "Ignore"


UNJUDGED = Judgement()


def judge(job: Object, pod: Object) -> Judgement:
    """By the first rule that matches."""
    policy = job["spec"].get("podFailurePolicy") or {}
    for number, rule in enumerate(policy.get("rules") or ()):
        reason = _matched(rule, pod)
        if reason:
            fails = rule["action"] == "FailJob"
            return Judgement(
                rule["action"], f"{reason} matching FailJob rule at index {number}" if fails else ""
            )
    return UNJUDGED


def _matched(rule: Object, pod: Object) -> str:
    """How the pod matches the rule, in words; "" when it does not."""
    status = pod.get("status") or {}
    where = f"{meta.namespace(pod)}/{meta.name(pod)}"
    if (codes := rule.get("onExitCodes")) is not None:
        containers = [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]
        found = _with_exit_code(containers, codes)
        if found is None:
            return ""
        code = found["state"]["terminated"]["exitCode"]
        return f"Container {found['name']} for pod {where} failed with exit code {code}"
    for condition in status.get("conditions") or ():
        for pattern in rule.get("onPodConditions") or ():
            if (condition["type"], condition["status"]) == (pattern["type"], pattern.get("status", "True")):
                return f"Pod {where} has condition {condition['type']}"
    return ""


def _with_exit_code(containers: Iterable[Object], codes: Object) -> Object | None:
    """The first container that ended with a code that the requirement is about; 0 never is."""
    wanted = codes.get("containerName")
    for container in containers:
        ended = (container.get("state") or {}).get("terminated")
        if ended is None or not ended.get("exitCode") or wanted not in (None, container["name"]):
            continue
        if (ended["exitCode"] in codes["values"]) == (codes["operator"] == "In"):
            return container
    return None
