"""Whether a container that has ended is to run again: its rules, its own policy, then the pod's. Pure."""

from kubeling.objects.meta import Object
from runtime.pods.containers.kinds import INIT, MAIN, containers_of
from runtime.pods.observed import ObservedPod, State

RESTART_ALL = "RestartAllContainers"


def restart_policy(pod: Object, container: Object | None = None) -> str:
    """The container's own policy where it has one, or the pod's."""
    own = (container or {}).get("restartPolicy")
    return str(own or (pod.get("spec") or {}).get("restartPolicy") or "Always")


def should_restart(pod: Object, container: Object, exit_code: int) -> bool:
    """Whether a container that ended with this code runs again. The first rule that matches decides."""
    if matching_action(container, exit_code):
        return True
    policy = restart_policy(pod, container)
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


def is_restartable(pod: Object, container: Object) -> bool:
    """Whether there is an end after which it may run again."""
    rules = container.get("restartPolicyRules") or []
    return restart_policy(pod, container) != "Never" or bool(rules)


def matching_action(container: Object, exit_code: int) -> str:
    """What the first rule that matches asks for, "" when none does. Rules stand beside an own policy."""
    if not container.get("restartPolicy"):
        return ""
    rules = container.get("restartPolicyRules") or []
    return next((each["action"] for each in rules if _matches(each.get("exitCodes") or {}, exit_code)), "")


def _matches(exit_codes: Object, exit_code: int) -> bool:
    listed = exit_code in (exit_codes.get("values") or [])
    return listed if exit_codes.get("operator") == "In" else not listed and bool(exit_codes)


def may_restart_all(pod: Object) -> bool:
    """Whether a container of the pod has a rule by which all start anew."""
    rules = [rule for each in containers_of(pod, INIT, MAIN) for rule in each.get("restartPolicyRules") or []]
    return any(rule.get("action") == RESTART_ALL for rule in rules)


def restart_sources(pod: Object, observed: ObservedPod) -> set[str]:
    """Ids of the containers whose end asks for a new start of all. They are removed last: until then the
    wish stands, even if the agent is started again in between.
    """
    if not may_restart_all(pod):
        return set()
    latest = ((each, observed.latest(each["name"])) for each in containers_of(pod, INIT, MAIN))
    return {
        found.id
        for each, found in latest
        if found is not None
        and found.state is State.EXITED
        and matching_action(each, found.exit_code) == RESTART_ALL
    }
