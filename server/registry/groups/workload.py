"""What the kinds with a pod template share: validation of selector and template, the wide columns."""

from collections.abc import Mapping
from typing import Any

from kubeling.objects.errors import Cause
from kubeling.objects.labels import SelectorError, from_label_selector
from kubeling.objects.meta import Object
from kubeling.objects.meta import name as name_of
from kubeling.objects.names import label_errors
from server.registry.causes import at_least, forbidden, invalid, not_supported, required
from server.registry.columns import Column, wide
from server.registry.groups.core.label_selector_validation import label_selector_causes
from server.registry.groups.core.pod_validation import template_causes
from server.registry.groups.core.pod_warnings import template_warnings
from server.registry.selectors import selector_text

_PARTS = (
    "fullyLabeledReplicas",
    "readyReplicas",
    "availableReplicas",
    "updatedReplicas",
    "currentReplicas",
)
_KINDS = {"deployment": "ReplicaSet", "statefulset": "StatefulSet", "daemonset": "DaemonSet"}
WIDE_COLUMNS: tuple[Column, ...] = (wide("Containers"), wide("Images"), wide("Selector"))


def wide_cells(template: Object, selector: Any) -> list[str]:
    """Container names, images, selector."""
    containers = (template.get("spec") or {}).get("containers") or []
    return [
        ",".join(each.get("name", "") for each in containers) or "<none>",
        ",".join(each.get("image", "") for each in containers) or "<none>",
        selector_text(selector) or "<none>",
    ]


def replicas_of(obj: Object, field: str = "replicas") -> int:
    """A count from the status, 0 when it is not there."""
    return int((obj.get("status") or {}).get(field, 0))


def workload_causes(spec: Object, *, noun: str) -> list[Cause]:
    """Counts, selector and template of a workload whose pods run for ever; `noun` is for the messages."""
    causes = at_least("spec.replicas", spec.get("replicas"))
    causes += at_least("spec.minReadySeconds", spec.get("minReadySeconds"))
    causes += at_least("spec.revisionHistoryLimit", spec.get("revisionHistoryLimit"))
    causes += selector_causes(spec.get("selector"), noun=noun, needed=noun != "daemonset")
    return causes + running_template_causes(spec, noun=noun)


def selector_causes(selector: Object | None, *, noun: str, needed: bool = True) -> list[Cause]:
    if selector is None:
        return [required("spec.selector")] if needed else []
    causes = label_selector_causes("spec.selector", selector)
    if not selector.get("matchLabels") and not selector.get("matchExpressions"):
        causes.append(invalid("spec.selector", selector, f"empty selector is invalid for {noun}"))
    if causes and not _parses(selector):
        causes.append(invalid("spec.selector", selector, "invalid label selector"))
    return causes


def _parses(selector: Object) -> bool:
    try:
        from_label_selector(selector)
    except SelectorError:
        return False
    return True


def running_template_causes(spec: Object, *, noun: str) -> list[Cause]:
    """The template must be what the selector selects, and its pods must be restarted."""
    template = spec.get("template") or {}
    causes = matching_causes(spec.get("selector"), template)
    return causes + template_causes("spec.template", template) + forever_causes(template, noun=noun)


def forever_causes(template: Object, *, noun: str) -> list[Cause]:
    """The pods of a workload that runs for ever are restarted and have no deadline."""
    field, pod = "spec.template.spec", template.get("spec") or {}
    causes: list[Cause] = []
    if (policy := pod.get("restartPolicy")) != "Always":
        causes.append(not_supported(f"{field}.restartPolicy", policy, ("Always",)))
    if pod.get("activeDeadlineSeconds") is not None:
        why = f"activeDeadlineSeconds in {_KINDS.get(noun, noun)} is not Supported"
        causes.append(forbidden(f"{field}.activeDeadlineSeconds", why))
    return causes


def matching_causes(selector: Object | None, template: Object) -> list[Cause]:
    labels: Mapping[str, str] = (template.get("metadata") or {}).get("labels") or {}
    try:
        matches = from_label_selector(selector).matches(labels)
    except SelectorError:
        return []
    if matches:
        return []
    why = "`selector` does not match template `labels`"
    return [invalid("spec.template.metadata.labels", dict(sorted(labels.items())), why)]


def immutable_selector_causes(obj: Object, old: Object) -> list[Cause]:
    new, before = obj["spec"].get("selector"), old["spec"].get("selector")
    return [] if new == before else [invalid("spec.selector", new, "field is immutable")]


def status_count_causes(obj: Object, *names: str) -> list[Cause]:
    """Counts in a status are not negative; of the replicas there are, no part is larger than the whole."""
    status = obj.get("status") or {}
    causes: list[Cause] = []
    for name in ("replicas", *names, "observedGeneration", "collisionCount"):
        causes += at_least(f"status.{name}", status.get(name))
    total = status.get("replicas", 0)
    for name in names:
        if name in _PARTS and status.get(name, 0) > total:
            why = "cannot be greater than status.replicas"
            causes.append(invalid(f"status.{name}", status[name], why))
    available, ready = status.get("availableReplicas", 0), status.get("readyReplicas", 0)
    if "availableReplicas" in names and available > ready:
        causes.append(invalid("status.availableReplicas", available, "cannot be greater than readyReplicas"))
    return causes


def collision_causes(obj: Object, old: Object) -> list[Cause]:
    new, before = ((each.get("status") or {}).get("collisionCount") for each in (obj, old))
    if before is None or (new is not None and new >= before):
        return []
    return [invalid("status.collisionCount", new or 0, "cannot be decremented")]


def pod_name_warnings(obj: Object) -> list[str]:
    """Names that are subdomains but no labels make strange host names."""
    errors = label_errors(name_of(obj))
    if not errors:
        return []
    why = (
        "this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is"
        " recommended"
    )
    return [f"metadata.name: {why}: [{' '.join(errors)}]"]


def changed_warnings(obj: Object, old: Object, field: str = "spec.template") -> list[str]:
    """The warnings of a template at an update, if it changed anything."""
    if obj["metadata"].get("generation") == old["metadata"].get("generation"):
        return []
    template: Object = obj
    for part in field.split("."):
        template = template.get(part) or {}
    return template_warnings(field, template)
