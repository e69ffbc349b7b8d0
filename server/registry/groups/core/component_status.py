"""ComponentStatuses: whether the parts of the control plane are well. Deprecated, but still asked for."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.registry.columns import columns
from server.registry.strategy import Strategy

_HEALTH = {"True": "Healthy", "False": "Unhealthy"}


class ComponentStatuses(Strategy):
    columns = columns("Status", "Message", "Error")

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        found = [each for each in obj.get("conditions") or () if each.get("type") == "Healthy"]
        condition = found[-1] if found else {}
        status = _HEALTH.get(condition.get("status", ""), "Unhealthy") if condition else "Unknown"
        return [meta.name(obj), status, condition.get("message", ""), condition.get("error", "")]


def component_status(name: str, why_not: str) -> Object:
    """The status of one component; `why_not` is "" when it is well."""
    status, message = ("False", why_not) if why_not else ("True", "ok")
    return {
        "kind": "ComponentStatus",
        "apiVersion": "v1",
        "metadata": {"name": name},
        "conditions": [{"type": "Healthy", "status": status, "message": message}],
    }
