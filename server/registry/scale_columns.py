"""What `kubectl get --subresource=scale` prints: a Scale's columns, whatever kind it is the scale of."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.registry.columns import AGE, NAME, Column, object_age

COLUMNS = (
    Column("Name", description=NAME.description),
    Column(
        "Desired", "integer", description="replicas is the desired number of instances for the scaled object."
    ),
    Column(
        "Available",
        "integer",
        description="replicas is the actual number of observed instances of the scaled object.",
    ),
    AGE,
)


def is_scale(obj: Object) -> bool:
    return obj.get("kind") == "Scale" and obj.get("apiVersion") == "autoscaling/v1"


def cells(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return [meta.name(obj), spec.get("replicas", 0), status.get("replicas", 0), object_age(obj, now)]
