"""A pod with gates does not enter the queue; it comes when they are open."""

from kubeling.objects.meta import Object
from server.scheduler.framework import Plugin


class SchedulingGates(Plugin):
    name = "SchedulingGates"
    points = frozenset({"preEnqueue"})


def is_gated(pod: Object) -> bool:
    return bool((pod.get("spec") or {}).get("schedulingGates"))
