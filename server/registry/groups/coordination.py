"""The kinds of coordination.k8s.io."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import qualified_name_errors
from server.registry.causes import forbidden, invalid, invalids, unsupported
from server.registry.columns import AGE, columns, object_age
from server.registry.kind import Kind
from server.registry.strategy import Strategy

_COORDINATED = ("OldestEmulationVersion",)


class Leases(Strategy):
    create_on_update = True
    unconditional_update = False
    columns = columns("Holder", AGE)

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes: list[Cause] = []
        if (seconds := spec.get("leaseDurationSeconds")) is not None and seconds <= 0:
            causes.append(invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"))
        if (count := spec.get("leaseTransitions")) is not None and count < 0:
            why = "must be greater than or equal to 0"
            causes.append(invalid("spec.leaseTransitions", count, why))
        return causes + _strategy_causes(spec)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        holder = (obj.get("spec") or {}).get("holderIdentity") or ""
        return [meta.name(obj), holder, object_age(obj, now)]


def _strategy_causes(spec: Object) -> list[Cause]:
    """A strategy's causes stand at a field of its own name within it: so upstream has it."""
    strategy, field = spec.get("strategy"), "spec.strategy.strategy"
    causes: list[Cause] = []
    if strategy is not None and "/" in strategy:
        causes += invalids(field, strategy, qualified_name_errors(strategy))
    elif strategy is not None and strategy not in _COORDINATED:
        causes.append(unsupported(field, strategy, _COORDINATED))
    if spec.get("preferredHolder") and not strategy:
        why = "may only be specified if `strategy` is defined"
        causes.append(forbidden("spec.preferredHolder", why))
    return causes


KINDS = (Kind("coordination.k8s.io", "Lease", "leases", Leases()),)
