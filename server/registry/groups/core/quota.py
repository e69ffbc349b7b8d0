"""ResourceQuotas and LimitRanges: objects only; nothing enforces them yet."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.columns import AGE, columns, object_age
from server.registry.groups.core.quota_validation import (
    limit_range_causes,
    quota_causes,
    quota_status_causes,
    quota_update_causes,
)
from server.registry.strategy import Strategy


class ResourceQuotas(Strategy):
    returns_deleted = True
    columns = columns("Request", "Limit", AGE)

    def validate(self, obj: Object) -> list[Cause]:
        return quota_causes(obj)

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return quota_update_causes(obj, old)

    def validate_status_update(self, obj: Object, old: Object) -> list[Cause]:
        return quota_status_causes(obj)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        state = obj.get("status") or {}
        hard, used = state.get("hard") or {}, state.get("used") or {}
        texts = {name: f"{name}: {used.get(name, '0')}/{hard[name]}" for name in sorted(hard)}
        limits = [text for name, text in texts.items() if name.startswith("limits")]
        requests = [text for name, text in texts.items() if not name.startswith("limits")]
        return [meta.name(obj), ", ".join(requests), ", ".join(limits), object_age(obj, now)]


class LimitRanges(Strategy):
    create_on_update = True

    def default(self, obj: Object) -> None:
        """For containers, what is not given follows from what is: default from max, request from default."""
        for item in (obj.get("spec") or {}).get("limits") or ():
            if item.get("type") != "Container":
                continue
            for target, sources in (("default", ("max",)), ("defaultRequest", ("default", "min"))):
                for source in sources:
                    for name, amount in (item.get(source) or {}).items():
                        item.setdefault(target, {}).setdefault(name, amount)

    def validate(self, obj: Object) -> list[Cause]:
        return limit_range_causes(obj)
