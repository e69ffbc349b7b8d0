"""The kinds of apiregistration.k8s.io. What they do is in `server.api.aggregation`."""

from datetime import datetime
from typing import Any

from kubeling.objects import conditions, meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_1035_errors, subdomain_errors
from server.registry.causes import invalid, invalids, required, unsupported
from server.registry.columns import AGE, columns, object_age
from server.registry.groups.plain import PathNamed
from server.registry.groups.subresources import status
from server.registry.kind import Kind
from server.registry.strategy import Scope

_MOST_GROUP_PRIORITY, _MOST_VERSION_PRIORITY = 20000, 1000
_STATUSES = ("True", "False", "Unknown")
_LOCAL = "Local APIServices are always available"


class APIServices(PathNamed):
    create_on_update = False
    unconditional_update = False
    columns = columns("Service", "Available", AGE)

    def default(self, obj: Object) -> None:
        if (service := (obj.get("spec") or {}).get("service")) is not None:
            service.setdefault("port", 443)

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        """What this server answers itself is available at once."""
        obj["status"] = {}
        if (obj.get("spec") or {}).get("service") is None:
            conditions.set_condition(obj, "Available", "True", reason="Local", message=_LOCAL, now=scope.now)

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj.get("spec") or {}
        group, version = spec.get("group", ""), spec.get("version", "")
        name, wanted = meta.name(obj), f"{version}.{group}"
        causes: list[Cause] = []
        if name != wanted:
            why = f'must be `spec.version+"."+spec.group`: "{wanted}"'
            causes.append(invalid("metadata.name", name, why))
        if not group and version != "v1":
            why = "only v1 may have an empty group and it better be legacy kube"
            causes.append(required("spec.group", why))
        causes += invalids("spec.group", group, subdomain_errors(group)) if group else []
        causes += invalids("spec.version", version, label_1035_errors(version))
        causes += _priority_causes("groupPriorityMinimum", spec, _MOST_GROUP_PRIORITY)
        causes += _priority_causes("versionPriority", spec, _MOST_VERSION_PRIORITY)
        return causes + (_local_causes(spec) if spec.get("service") is None else _service_causes(spec))

    def validate_status_update(self, obj: Object, old: Object) -> list[Cause]:
        return [
            unsupported(f"status.conditions[{position}].status", each.get("status", ""), _STATUSES)
            for position, each in enumerate((obj.get("status") or {}).get("conditions") or ())
            if each.get("status") not in _STATUSES
        ]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        service = (obj.get("spec") or {}).get("service")
        place = f"{service.get('namespace')}/{service.get('name')}" if service else "Local"
        return [meta.name(obj), place, _available(obj), object_age(obj, now)]


def _priority_causes(name: str, spec: Object, most: int) -> list[Cause]:
    value = spec.get(name, 0)
    if 0 < value <= most:
        return []
    return [invalid(f"spec.{name}", value, f"must be positive and less than {most}")]


def _local_causes(spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    if bundle := spec.get("caBundle"):
        shown = f"{len(bundle) * 3 // 4} bytes"
        causes.append(invalid("spec.caBundle", shown, "local APIServices may not have a caBundle"))
    if spec.get("insecureSkipTLSVerify"):
        why = "local APIServices may not have insecureSkipTLSVerify"
        causes.append(invalid("spec.insecureSkipTLSVerify", True, why))
    return causes


def _service_causes(spec: Object) -> list[Cause]:
    service = spec["service"]
    causes = [required(f"spec.service.{each}") for each in ("namespace", "name") if not service.get(each)]
    port = service.get("port", 0)
    if not 1 <= port <= 65535:
        why = "port is not valid: must be between 1 and 65535, inclusive"
        causes.append(invalid("spec.service.port", port, why))
    if spec.get("insecureSkipTLSVerify") and spec.get("caBundle"):
        why = "may not be true if caBundle is present"
        causes.append(invalid("spec.insecureSkipTLSVerify", True, why))
    return causes


def _available(obj: Object) -> str:
    condition = conditions.find(obj, "Available")
    if condition is None:
        return "Unknown"
    reason = condition.get("reason")
    return "True" if condition.get("status") == "True" else f"{condition.get('status')} ({reason})"


KINDS = (
    Kind(
        "apiregistration.k8s.io",
        "APIService",
        "apiservices",
        APIServices(),
        namespaced=False,
        categories=("api-extensions",),
        subresources=status("APIService"),
    ),
)
