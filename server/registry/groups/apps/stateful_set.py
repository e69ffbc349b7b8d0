"""StatefulSets."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors
from server.registry.causes import at_least, forbidden, invalid, required, unsupported
from server.registry.columns import AGE, columns, object_age
from server.registry.groups.apps.deployment import keep_labels
from server.registry.groups.apps.rolling import bound_causes, is_zero
from server.registry.groups.core.pod_defaults import default_template
from server.registry.groups.core.pod_validation import template_metadata_causes
from server.registry.groups.core.pod_warnings import fraction_warnings, template_warnings
from server.registry.groups.workload import (
    WIDE_COLUMNS,
    changed_warnings,
    collision_causes,
    forever_causes,
    matching_causes,
    replicas_of,
    selector_causes,
    status_count_causes,
    wide_cells,
)
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
    changes_last = True
    reset_by_status = ("spec", "metadata.labels")
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
            rolling = strategy.setdefault("rollingUpdate", {})
            rolling.setdefault("partition", 0)
            rolling.setdefault("maxUnavailable", 1)
        for claim in spec.get("volumeClaimTemplates") or ():
            _default_claim(claim)
        default_template(spec.setdefault("template", {}))

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        obj["status"] = {"replicas": 0, "availableReplicas": 0}

    def prepare_for_status_update(self, scope: Scope, obj: Object, old: Object) -> None:
        keep_labels(obj, old)

    def name_errors(self, name: str) -> list[str]:
        """Pods are named after it."""
        return label_errors(name)

    def validate(self, obj: Object) -> list[Cause]:
        """The template's spec is not looked at: its mounts may be of volumes that the claims make."""
        spec = obj["spec"]
        causes = _policy_causes(spec) + _strategy_causes(spec["updateStrategy"])
        causes += _retention_causes(spec.get("persistentVolumeClaimRetentionPolicy") or {})
        causes += at_least("spec.replicas", spec.get("replicas"))
        causes += at_least("spec.minReadySeconds", spec.get("minReadySeconds"))
        causes += at_least("spec.ordinals.start", (spec.get("ordinals") or {}).get("start"))
        causes += selector_causes(spec.get("selector"), noun="statefulset")
        template = spec["template"]
        causes += matching_causes(spec.get("selector"), template)
        causes += template_metadata_causes("spec.template", template.get("metadata") or {})
        return causes + forever_causes(template, noun="statefulset")

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return [] if _fixed(obj["spec"]) == _fixed(old["spec"]) else [forbidden("spec", _FIXED)]

    def validate_status_update(self, obj: Object, old: Object) -> list[Cause]:
        counts = ("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas")
        return status_count_causes(obj, *counts) + collision_causes(obj, old)

    def warnings(self, obj: Object) -> list[str]:
        spec = obj["spec"]
        found = template_warnings("spec.template", spec["template"])
        for position, claim in enumerate(spec.get("volumeClaimTemplates") or ()):
            requests = ((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}
            where = f"spec.volumeClaimTemplates[{position}].spec.resources.requests[storage]"
            found += fraction_warnings(where, requests.get("storage"))
        if (spec.get("revisionHistoryLimit") or 0) < 0:
            why = "a negative value retains all historical revisions; a value >= 0 is recommended"
            found.append(f"spec.revisionHistoryLimit: {why}")
        return found

    def update_warnings(self, obj: Object, old: Object) -> list[str]:
        return changed_warnings(obj, old)

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


def _policy_causes(spec: Object) -> list[Cause]:
    policy, field = spec.get("podManagementPolicy"), "spec.podManagementPolicy"
    if not policy:
        return [required(field)]
    if policy in ("OrderedReady", "Parallel"):
        return []
    return [invalid(field, policy, "must be 'OrderedReady' or 'Parallel'")]


def _strategy_causes(strategy: Object) -> list[Cause]:
    field, kind, rolling = "spec.updateStrategy", strategy.get("type"), strategy.get("rollingUpdate")
    if kind not in ("OnDelete", "RollingUpdate"):
        return [invalid(field, strategy, "must be 'RollingUpdate' or 'OnDelete'")]
    if rolling is None:
        return []
    where = f"{field}.rollingUpdate"
    if kind == "OnDelete":
        return [invalid(where, rolling, "only allowed for updateStrategy 'RollingUpdate'")]
    causes = at_least(f"{where}.partition", rolling.get("partition"))
    if (bound := rolling.get("maxUnavailable")) is not None:
        causes += bound_causes(f"{where}.maxUnavailable", bound, limited=True)
        if is_zero(bound):
            causes.append(invalid(f"{where}.maxUnavailable", bound, "cannot be 0"))
    return causes


def _retention_causes(policy: Object) -> list[Cause]:
    kinds, field = ("Retain", "Delete"), "spec.persistentVolumeClaimRetentionPolicy"
    return [
        unsupported(f"{field}.{when}", policy.get(when, ""), kinds)
        for when in ("whenDeleted", "whenScaled")
        if policy and policy.get(when) not in kinds
    ]
