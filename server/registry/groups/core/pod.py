"""Pods: what happens to one when it is created, updated, bound, deleted."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from kubeling.objects import conditions
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.groups.core.apparmor import profiles_from_annotations
from server.registry.groups.core.binding import bind
from server.registry.groups.core.eviction import evict
from server.registry.groups.core.known_specs import Verdict, remember, verdict
from server.registry.groups.core.pod_defaults import alias_service_account, default_pod
from server.registry.groups.core.pod_label_keys import merge_label_keys
from server.registry.groups.core.pod_printing import COLUMNS, pod_cells
from server.registry.groups.core.pod_qos import qos_class
from server.registry.groups.core.pod_resize import resize_causes, resized
from server.registry.groups.core.pod_status_validation import status_causes
from server.registry.groups.core.pod_update import ephemeral_update_causes, update_causes
from server.registry.groups.core.pod_validation import metadata_causes, pod_causes, pod_create_causes
from server.registry.groups.core.pod_warnings import (
    annotations_matter,
    grace_warnings,
    pod_warnings,
    spec_warnings,
)
from server.registry.metadata import bump_generation
from server.registry.options import DeleteOptions
from server.registry.strategy import Action, Scope, Strategy, field_text

_FINISHED = ("Succeeded", "Failed")
_SPEC_SUBRESOURCES = ("ephemeralcontainers", "resize")
_KEPT_STATUS = ("qosClass", "observedGeneration")


class Pods(Strategy):
    columns = COLUMNS
    has_generation = True
    returns_deleted = True
    finals_recorded = True
    graceful = True
    actions: ClassVar[Mapping[str, Action]] = {"binding": bind, "eviction": evict}
    selectable = (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    )

    def field(self, obj: Object, path: str) -> str:
        if path == "spec.hostNetwork":
            return "true" if obj.get("spec", {}).get("hostNetwork") else "false"
        return field_text(obj, path)

    def default(self, obj: Object) -> None:
        default_pod(obj.setdefault("spec", {}))

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        spec = obj["spec"]
        alias_service_account(spec)
        merge_label_keys(obj)
        scope.context.warnings.extend(grace_warnings("spec", spec))
        _mend_grace(spec)
        scope.context.warnings.extend(profiles_from_annotations(obj))
        obj["status"] = {"phase": "Pending"}
        if known := verdict(spec):
            obj["status"]["qosClass"] = known.qos
        elif spec.get("containers"):
            obj["status"]["qosClass"] = qos_class(spec)
        if spec.get("schedulingGates"):
            conditions.set_condition(
                obj,
                "PodScheduled",
                "False",
                reason="SchedulingGated",
                message="Scheduling is blocked due to non-empty scheduling gates",
                now=scope.now,
            )

    def narrowed(self, scope: Scope, subresource: str, obj: Object, old: Object) -> Object:
        if subresource not in _SPEC_SUBRESOURCES:
            return super().narrowed(scope, subresource, obj, old)
        own = {key: obj["metadata"][key] for key in ("resourceVersion", "uid") if key in obj["metadata"]}
        spec, before = obj.get("spec") or {}, old["spec"]
        if subresource == "resize":
            changed = resized(spec, before)
        else:
            changed = {key: value for key, value in before.items() if key != "ephemeralContainers"}
            if containers := spec.get("ephemeralContainers"):
                changed["ephemeralContainers"] = containers
        return {**old, "metadata": {**old["metadata"], **own}, "spec": changed}

    def prepare_for_update(self, scope: Scope, obj: Object, old: Object) -> None:
        alias_service_account(obj["spec"])
        _mend_grace(obj["spec"])

    def prepare_for_subresource_update(
        self, scope: Scope, subresource: str, obj: Object, old: Object
    ) -> None:
        if subresource in _SPEC_SUBRESOURCES:
            bump_generation(obj, old)
        else:
            self.prepare_for_status_update(scope, obj, old)

    def prepare_for_status_update(self, scope: Scope, obj: Object, old: Object) -> None:
        """Status alone: owner references stay, and the QoS class was decided at creation."""
        own = obj["metadata"]
        if "ownerReferences" in old["metadata"]:
            own["ownerReferences"] = old["metadata"]["ownerReferences"]
        else:
            own.pop("ownerReferences", None)
        status, before = obj.setdefault("status", {}), old.get("status") or {}
        for name in _KEPT_STATUS:
            if name in before:
                status.setdefault(name, before[name])
        _same_address(status)

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj["spec"]
        if verdict(spec):
            return metadata_causes(obj)
        causes = pod_causes(obj)
        if not causes and not _depends_on_name(spec):
            remember(spec, Verdict(qos_class(spec), tuple(spec_warnings(spec))))
        return causes

    def validate_again(self, obj: Object, old: Object) -> list[Cause]:
        """A spec that has not changed was found valid once, and need not be by the rules of today."""
        return metadata_causes(obj) if obj["spec"] == old["spec"] else self.validate(obj)

    def validate_create(self, obj: Object) -> list[Cause]:
        return pod_create_causes(obj)

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return update_causes(obj, old)

    def validate_subresource_update(self, subresource: str, obj: Object, old: Object) -> list[Cause]:
        match subresource:
            case "ephemeralcontainers":
                return ephemeral_update_causes(obj, old) + pod_causes(obj)
            case "resize":
                return resize_causes(obj, old) + pod_causes(obj)
            case "status":
                return status_causes(obj, old)
            case _:
                return []

    def warnings(self, obj: Object) -> list[str]:
        known = None if annotations_matter(obj) else verdict(obj["spec"])
        return pod_warnings(obj) if known is None else list(known.warnings)

    def update_warnings(self, obj: Object, old: Object) -> list[str]:
        """None: pods are mostly updated by programs, which do not read them."""
        return []

    def grace_period(self, obj: Object, options: DeleteOptions) -> int:
        """Pods that never ran, or have ended, go at once."""
        spec, status = obj["spec"], obj.get("status") or {}
        if not spec.get("nodeName") or status.get("phase") in _FINISHED:
            return 0
        asked = options.grace_period_seconds
        period: int = spec.get("terminationGracePeriodSeconds", 30) if asked is None else asked
        return 1 if period < 0 else period

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return pod_cells(obj, now)


def _mend_grace(spec: Object) -> None:
    """Templates keep what they say; of a pod less than no time is a second."""
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        spec["terminationGracePeriodSeconds"] = 1


def _depends_on_name(spec: Object) -> bool:
    """Claims of ephemeral volumes are named after the pod, which may be too long for that."""
    return any("ephemeral" in volume for volume in spec.get("volumes") or ())


def _same_address(status: Object) -> None:
    """podIP and the first of podIPs are one; whichever was given stands for both."""
    ip, ips = status.get("podIP"), status.get("podIPs")
    if ip and (not ips or ips[0].get("ip") != ip):
        status["podIPs"] = [{"ip": ip}]
    elif ips and not ip:
        status["podIP"] = ips[0].get("ip", "")
