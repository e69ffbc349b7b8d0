"""What the kinds with a pod template share: validation of selector and template, the wide columns."""

from collections.abc import Mapping
from typing import Any

from kubeling.objects.errors import Cause
from kubeling.objects.labels import SelectorError, from_label_selector
from kubeling.objects.meta import Object
from server.registry.causes import at_least, forbidden, invalid, not_supported, required
from server.registry.columns import Column, wide
from server.registry.groups.core.pod_validation import template_causes
from server.registry.selectors import selector_text

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
    causes += selector_causes(spec.get("selector"), noun=noun)
    return causes + running_template_causes(spec, noun=noun)


def selector_causes(selector: Object | None, *, noun: str) -> list[Cause]:
    if selector is None:
        return [required("spec.selector")]
    try:
        parsed = from_label_selector(selector)
    except SelectorError as error:
        return [invalid("spec.selector", selector, str(error))]
    if parsed.empty:
        return [invalid("spec.selector", selector, f"empty selector is invalid for {noun}")]
    return []


def running_template_causes(spec: Object, *, noun: str) -> list[Cause]:
    """The template must be what the selector selects, and its pods must be restarted."""
    field, template = "spec.template", spec.get("template") or {}
    causes = matching_causes(spec.get("selector"), template)
    causes += template_causes(field, template)
    pod = template.get("spec") or {}
    policy = pod.get("restartPolicy")
    if policy in ("OnFailure", "Never"):
        causes.append(not_supported(f"{field}.spec.restartPolicy", policy, ("Always",)))
    if pod.get("activeDeadlineSeconds") is not None:
        why = f"activeDeadlineSeconds in {_display(noun)} is not Supported"
        causes.append(forbidden(f"{field}.spec.activeDeadlineSeconds", why))
    return causes


def _display(noun: str) -> str:
    return {"deployment": "ReplicaSet", "statefulset": "StatefulSet"}.get(noun, noun)


def matching_causes(selector: Object | None, template: Object) -> list[Cause]:
    labels: Mapping[str, str] = (template.get("metadata") or {}).get("labels") or {}
    try:
        matches = from_label_selector(selector).matches(labels)
    except SelectorError:
        return []
    if matches:
        return []
    why = "`selector` does not match template `labels`"
    return [invalid("spec.template.metadata.labels", labels, why)]


def immutable_selector_causes(obj: Object, old: Object) -> list[Cause]:
    new, before = obj["spec"].get("selector"), old["spec"].get("selector")
    return [] if new == before else [invalid("spec.selector", new, "field is immutable")]
