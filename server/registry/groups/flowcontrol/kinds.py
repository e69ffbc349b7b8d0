"""The kinds of flowcontrol.apiserver.k8s.io. They are stored; requests are not queued by them yet."""

from datetime import datetime
from typing import Any

from kubeling.objects import conditions, meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.columns import AGE, columns, object_age
from server.registry.groups.flowcontrol.level_validation import level_causes
from server.registry.groups.flowcontrol.schema_validation import schema_causes
from server.registry.groups.subresources import status
from server.registry.kind import Kind
from server.registry.strategy import Strategy

_GROUP = "flowcontrol.apiserver.k8s.io"
_QUEUING = {"queues": 64, "handSize": 8, "queueLengthLimit": 50}
_SHARES = 30


class FlowSchemas(Strategy):
    has_generation = True
    columns = columns("PriorityLevel", "MatchingPrecedence", "DistinguisherMethod", AGE, "MissingPL")

    def default(self, obj: Object) -> None:
        obj.setdefault("spec", {}).setdefault("matchingPrecedence", 1000)

    def validate(self, obj: Object) -> list[Cause]:
        return schema_causes(obj)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        dangling = conditions.find(obj, "Dangling") or {}
        return [
            meta.name(obj),
            (spec.get("priorityLevelConfiguration") or {}).get("name", ""),
            spec.get("matchingPrecedence", 0),
            (spec.get("distinguisherMethod") or {}).get("type") or "<none>",
            object_age(obj, now),
            dangling.get("status", "?"),
        ]


class PriorityLevels(Strategy):
    has_generation = True
    columns = columns("Type", "NominalConcurrencyShares", "Queues", "HandSize", "QueueLengthLimit", AGE)

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        if spec.get("type") == "Exempt":
            exempt = spec.setdefault("exempt", {})
            exempt.setdefault("nominalConcurrencyShares", 0)
            exempt.setdefault("lendablePercent", 0)
        elif (limited := spec.get("limited")) is not None:
            limited.setdefault("nominalConcurrencyShares", _SHARES)
            limited.setdefault("lendablePercent", 0)
            response = limited.get("limitResponse") or {}
            if response.get("type") == "Queue":
                response["queuing"] = {**_QUEUING, **(response.get("queuing") or {})}

    def validate(self, obj: Object) -> list[Cause]:
        return level_causes(obj)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        shares = spec.get("limited") or spec.get("exempt") or {}
        queuing = ((spec.get("limited") or {}).get("limitResponse") or {}).get("queuing") or {}
        return [
            meta.name(obj),
            spec.get("type", ""),
            shares.get("nominalConcurrencyShares", "<none>"),
            *(queuing.get(name, "<none>") for name in _QUEUING),
            object_age(obj, now),
        ]


KINDS = (
    Kind(
        _GROUP,
        "FlowSchema",
        "flowschemas",
        FlowSchemas(),
        namespaced=False,
        subresources=status("FlowSchema"),
    ),
    Kind(
        _GROUP,
        "PriorityLevelConfiguration",
        "prioritylevelconfigurations",
        PriorityLevels(),
        namespaced=False,
        subresources=status("PriorityLevelConfiguration"),
    ),
)
