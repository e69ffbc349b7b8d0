"""The downward API: a pod's own fields and its containers' resources, for env and volumes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal

from kubeling.objects import quantity
from kubeling.objects.meta import Object, annotations, labels, name, namespace, uid

_ESCAPES = {letter: f"\\{shown}" for letter, shown in zip('"\\\a\b\f\n\r\t\v', '"\\abfnrtv', strict=True)}
_LIMITED_BY_NODE = ("cpu", "memory", "ephemeral-storage")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


class DownwardError(ValueError):
    """A field or resource cannot be had; the text is the kubelet's."""


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What the spec does not say: the addresses that the pod got, the node's, and what the node can give."""

    node_name: str = ""
    pod_ips: tuple[str, ...] = ()
    host_ips: tuple[str, ...] = ()
    allocatable: Mapping[str, str] = field(default_factory=dict)


def field_value(pod: Object, path: str, facts: PodFacts) -> str:
    """The text of a `fieldRef`.

    Raises:
        DownwardError: no such field.
    """
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript:
        held = labels(pod) if subscript[1] == "labels" else annotations(pod)
        return held.get(subscript[2], "")
    spec = pod.get("spec") or {}
    values = {
        "metadata.name": name(pod),
        "metadata.namespace": namespace(pod),
        "metadata.uid": uid(pod),
        "metadata.labels": format_map(labels(pod)),
        "metadata.annotations": format_map(annotations(pod)),
        "spec.nodeName": facts.node_name or spec.get("nodeName", ""),
        "spec.host": facts.node_name or spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "status.hostIP": next(iter(facts.host_ips), ""),
        "status.hostIPs": ",".join(facts.host_ips),
        "status.podIP": next(iter(facts.pod_ips), ""),
        "status.podIPs": ",".join(facts.pod_ips),
    }
    if path not in values:
        raise DownwardError(f"unsupported fieldPath: {path}")
    return str(values[path])


def format_map(values: Mapping[str, str]) -> str:
    """Labels or annotations as lines `key="value"`, sorted, as downward files hold them."""
    return "\n".join(f"{key}={_quoted(values[key])}" for key in sorted(values))


def _quoted(text: str) -> str:
    """As Go quotes it: what can be printed stays."""
    return '"' + "".join(_ESCAPES.get(each) or _printed(each) for each in text) + '"'


def _printed(letter: str) -> str:
    code = ord(letter)
    if letter.isprintable():
        return letter
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def resource_value(pod: Object, container: Object, selector: Object, facts: PodFacts) -> str:
    """The text of a `resourceFieldRef`: the amount divided by the divisor, rounded up.

    A limit that is not set is the whole pod's, or what the node can give; a request that is not set is 0.

    Raises:
        DownwardError: no such resource.
    """
    path = str(selector.get("resource", ""))
    limits = ((pod.get("spec") or {}).get("resources") or {}).get("limits") or {}
    kind, _, resource = path.partition(".")
    if kind not in ("limits", "requests") or not resource:
        raise DownwardError(f"unsupported container resource : {path}")
    given = (container.get("resources") or {}).get(kind) or {}
    amount = quantity.parse(given.get(resource, "0"))
    if not amount and kind == "limits" and resource in _LIMITED_BY_NODE:
        amount = quantity.parse(limits.get(resource) or facts.allocatable.get(resource, "0"))
    divisor = quantity.parse(selector.get("divisor") or "1") or Decimal(1)
    return str(int((amount / divisor).to_integral_value(rounding=ROUND_CEILING)))


def shows_changed(old: Object, new: Object) -> bool:
    """Whether the pod's downward volumes show something else of it than before."""
    volumes = (new.get("spec") or {}).get("volumes") or []
    if not any(map(_is_downward, volumes)):
        return False
    return _shown(old) != _shown(new)


def _is_downward(volume: Object) -> bool:
    sources = (volume.get("projected") or {}).get("sources") or []
    return "downwardAPI" in volume or any("downwardAPI" in each for each in sources)


def _shown(pod: Object) -> list[object]:
    spec = pod.get("spec") or {}
    containers = [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
    return [labels(pod), annotations(pod), [each.get("resources") for each in containers]]
