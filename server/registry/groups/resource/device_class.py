"""DeviceClasses and DeviceTaintRules."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import qualified_name_errors
from server.registry.causes import invalid
from server.registry.columns import NAME_AND_AGE, name_and_age
from server.registry.groups.resource.names import (
    configuration_causes,
    items,
    label_causes,
    pool_causes,
    taint_causes,
)
from server.registry.groups.resource.selectors import selector_causes
from server.registry.groups.storage.csi import driver_name_causes
from server.registry.strategy import Scope, Strategy

_MOST = 32


class DeviceClasses(Strategy):
    has_generation = True
    columns = NAME_AND_AGE

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes = items("spec.selectors", spec.get("selectors") or [], _MOST, selector_causes)
        causes += items("spec.config", spec.get("config") or [], _MOST, configuration_causes)
        name = spec.get("extendedResourceName")
        if name is not None and not _is_extended(name):
            why = "must be a valid extended resource name"
            causes.append(invalid("spec.extendedResourceName", name, why))
        return causes

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return name_and_age(obj, now)


def _is_extended(name: str) -> bool:
    domain, slash, _ = name.rpartition("/")
    own = domain == "kubernetes.io" or domain.endswith(".kubernetes.io") or name.startswith("requests.")
    return bool(slash) and not own and not qualified_name_errors(f"requests.{name}")


class TaintRules(Strategy):
    has_generation = True
    columns = NAME_AND_AGE

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        obj["status"] = {}
        _date_taint(obj, scope)

    def prepare_for_update(self, scope: Scope, obj: Object, old: Object) -> None:
        _date_taint(obj, scope)

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj.get("spec") or {}
        selector = spec.get("deviceSelector") or {}
        causes: list[Cause] = []
        if (driver := selector.get("driver")) is not None:
            causes += driver_name_causes("spec.deviceSelector.driver", driver)
        if (pool := selector.get("pool")) is not None:
            causes += pool_causes("spec.deviceSelector.pool", pool)
        if (device := selector.get("device")) is not None:
            causes += label_causes("spec.deviceSelector.device", device)
        return causes + taint_causes("spec.taint", spec.get("taint") or {})

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return name_and_age(obj, now)


def _date_taint(obj: Object, scope: Scope) -> None:
    taint = (obj.get("spec") or {}).get("taint")
    if taint is not None:
        taint.setdefault("timeAdded", meta.timestamp(scope.now))
