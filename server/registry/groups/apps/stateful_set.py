"""StatefulSets."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import at_least, forbidden, one_of
from server.registry.columns import AGE, columns, object_age
from server.registry.groups.apps.deployment import keep_labels
from server.registry.groups.core.pod_defaults import default_template
from server.registry.groups.workload import WIDE_COLUMNS, replicas_of, wide_cells, workload_causes
from server.registry.strategy import Scope, Strategy

_CHANGEABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
_FIXED = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy',"
    " 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)


class StatefulSets(Strategy):
    has_generation = True
    columns = columns("Ready", AGE, *WIDE_COLUMNS[:2])

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("podManagementPolicy", "OrderedReady")
        spec.setdefault("replicas", 1)
        spec.setdefault("revisionHistoryLimit", 10)
        retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
        retention.setdefault("whenDeleted", "Retain")
        retention.setdefault("whenScaled", "Retain")
        strategy = spec.setdefault("updateStrategy", {})
        strategy.setdefault("type", "RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
        for claim in spec.get("volumeClaimTemplates") or ():
            _default_claim(claim)
        default_template(spec.setdefault("template", {}))

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        obj["status"] = {"replicas": 0}

    def prepare_for_status_update(self, scope: Scope, obj: Object, old: Object) -> None:
        keep_labels(obj, old)

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj["spec"]
        causes = workload_causes(spec, noun="statefulset")
        policies = ("OrderedReady", "Parallel")
        causes += one_of("spec.podManagementPolicy", spec["podManagementPolicy"], policies)
        strategy = spec["updateStrategy"]
        causes += one_of("spec.updateStrategy.type", strategy["type"], ("OnDelete", "RollingUpdate"))
        partition = (strategy.get("rollingUpdate") or {}).get("partition")
        return causes + at_least("spec.updateStrategy.rollingUpdate.partition", partition)

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return [] if _fixed(obj["spec"]) == _fixed(old["spec"]) else [forbidden("spec", _FIXED)]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        return [
            meta.name(obj),
            f"{replicas_of(obj, 'readyReplicas')}/{spec.get('replicas', 0)}",
            object_age(obj, now),
            *wide_cells(spec.get("template") or {}, None)[:2],
        ]


def _default_claim(claim: Object) -> None:
    claim.setdefault("apiVersion", "v1")
    claim.setdefault("kind", "PersistentVolumeClaim")
    claim.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")
    claim.setdefault("status", {}).setdefault("phase", "Pending")


def _fixed(spec: Object) -> Object:
    return {key: value for key, value in spec.items() if key not in _CHANGEABLE}
