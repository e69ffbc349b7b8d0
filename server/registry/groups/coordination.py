"""The kinds of coordination.k8s.io."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors, subdomain_errors
from server.registry.causes import invalid, invalids, required
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
        if (holder := spec.get("holderIdentity")) is not None and not holder:
            causes.append(invalid("spec.holderIdentity", holder, "must not be empty"))
        return causes + _strategy_causes(spec)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        holder = (obj.get("spec") or {}).get("holderIdentity") or ""
        return [meta.name(obj), holder, object_age(obj, now)]


def _strategy_causes(spec: Object) -> list[Cause]:
    strategy, preferred = spec.get("strategy"), spec.get("preferredHolder")
    causes: list[Cause] = []
    if preferred and not strategy:
        why = "strategy is required if preferredHolder is specified"
        causes.append(required("spec.strategy", why))
    if strategy is not None:
        causes += _strategy_name_causes("spec.strategy", strategy)
    return causes


def _strategy_name_causes(field: str, strategy: str) -> list[Cause]:
    domain, slash, name = strategy.partition("/")
    if slash:
        return [
            *invalids(field, strategy, subdomain_errors(domain)),
            *invalids(field, strategy, label_errors(name)),
        ]
    if strategy in _COORDINATED:
        return []
    why = "when domain is not specified, must be one of: [OldestEmulationVersion]"
    return [invalid(field, strategy, why)]


KINDS = (Kind("coordination.k8s.io", "Lease", "leases", Leases()),)
