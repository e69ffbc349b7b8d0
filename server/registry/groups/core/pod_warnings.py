"""What is strange in pod specs without being wrong: texts for `Warning` headers."""

from collections.abc import Iterator

from kubeling.objects import quantity
from kubeling.objects.meta import Object
from server.registry.groups.core.apparmor import DEPRECATED as DEPRECATED_ANNOTATION
from server.registry.groups.core.apparmor import PREFIX as APPARMOR
from server.registry.groups.core.pod_defaults import CONTAINER_LISTS

NODE_LABELS = {
    old: f'deprecated since {since}; use "{new}" instead'
    for old, since, new in (
        ("beta.kubernetes.io/arch", "v1.14", "kubernetes.io/arch"),
        ("beta.kubernetes.io/os", "v1.14", "kubernetes.io/os"),
        ("failure-domain.beta.kubernetes.io/region", "v1.17", "topology.kubernetes.io/region"),
        ("failure-domain.beta.kubernetes.io/zone", "v1.17", "topology.kubernetes.io/zone"),
        ("beta.kubernetes.io/instance-type", "v1.17", "node.kubernetes.io/instance-type"),
    )
}
_ANNOTATIONS = {
    key: f'non-functional in {since}+; use the "{field}" field instead'
    for key, since, field in (
        ("scheduler.alpha.kubernetes.io/critical-pod", "v1.16", "priorityClassName"),
        ("security.alpha.kubernetes.io/sysctls", "v1.11", "sysctls"),
        ("security.alpha.kubernetes.io/unsafe-sysctls", "v1.11", "sysctls"),
    )
}
VOLUMES = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11, and disabled by default in v1.33+",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
_SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
_SECCOMP = "container.seccomp.security.alpha.kubernetes.io/"
_WHOLE = ("memory", "ephemeral-storage")
_AFFINITIES = ("podAffinity", "podAntiAffinity")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def pod_warnings(obj: Object) -> list[str]:
    return list(_warnings("", obj))


def spec_warnings(spec: Object) -> list[str]:
    """The warnings of a pod whose annotations do not matter."""
    return list(_warnings("", {"spec": spec}))


def annotations_matter(obj: Object) -> bool:
    """Whether the pod has annotations that are warned of."""
    annotations = obj["metadata"].get("annotations") or ()
    return any(
        key in _ANNOTATIONS or key.startswith((_SECCOMP_POD, _SECCOMP, APPARMOR)) for key in annotations
    )


def template_warnings(field: str, template: Object) -> list[str]:
    """`field` is the template's path, such as spec.template."""
    return list(_warnings(f"{field}.", template))


def _warnings(prefix: str, obj: Object) -> Iterator[str]:
    spec, annotations = obj.get("spec") or {}, (obj.get("metadata") or {}).get("annotations") or {}
    yield from _label_warnings(f"{prefix}spec", spec)
    for key, why in _ANNOTATIONS.items() if annotations else ():
        if key in annotations:
            yield f"{prefix}metadata.annotations[{key}]: {why}"
    for position, volume in enumerate(spec.get("volumes") or ()):
        yield from _volume_warnings(f"{prefix}spec.volumes[{position}]", volume)
    yield from _duplicate_warnings(f"{prefix}spec", spec)
    for resource in _WHOLE:
        where = f"{prefix}spec.overhead[{resource}]"
        yield from fraction_warnings(where, (spec.get("overhead") or {}).get(resource))
    if annotations:
        yield from _profile_warnings(prefix, spec, annotations)
    yield from _container_warnings(f"{prefix}spec", spec)
    yield from _port_warnings(f"{prefix}spec", spec)
    yield from grace_warnings(f"{prefix}spec", spec)
    yield from _affinity_warnings(f"{prefix}spec.affinity", spec.get("affinity") or {})


def grace_warnings(field: str, spec: Object) -> Iterator[str]:
    if spec.get("terminationGracePeriodSeconds", 0) < 0:
        why = "must be >= 0; negative values are invalid and will be treated as 1"
        yield f"{field}.terminationGracePeriodSeconds: {why}"


def _label_warnings(field: str, spec: Object) -> Iterator[str]:
    for key in spec.get("nodeSelector") or ():
        if key in NODE_LABELS:
            yield f"{field}.nodeSelector[{key}]: {NODE_LABELS[key]}"
    node = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    where = f"{field}.affinity.nodeAffinity"
    for position, term in enumerate((node.get(_REQUIRED) or {}).get("nodeSelectorTerms") or ()):
        yield from node_term_warnings(f"{where}.{_REQUIRED}.nodeSelectorTerms[{position}]", term)
    for position, each in enumerate(node.get(_PREFERRED) or ()):
        term = each.get("preference") or {}
        yield from node_term_warnings(f"{where}.{_PREFERRED}[{position}].preference", term)
    for position, each in enumerate(spec.get("topologySpreadConstraints") or ()):
        where, key = f"{field}.topologySpreadConstraints[{position}]", each.get("topologyKey", "")
        if key in NODE_LABELS:
            yield f"{where}.topologyKey: {key} is {NODE_LABELS[key]}"
        if each.get("labelSelector") is None:
            yield f"{where}.labelSelector: a null labelSelector results in matching no pod"


def node_term_warnings(field: str, term: Object) -> Iterator[str]:
    for position, each in enumerate(term.get("matchExpressions") or ()):
        if (key := each.get("key", "")) in NODE_LABELS:
            yield f"{field}.matchExpressions[{position}].key: {key} is {NODE_LABELS[key]}"


def _volume_warnings(field: str, volume: Object) -> Iterator[str]:
    for source, why in VOLUMES.items():
        if source in volume:
            yield f"{field}.{'storageOS' if source == 'storageos' else source}: {why}"
    template = (volume.get("ephemeral") or {}).get("volumeClaimTemplate")
    if template:
        asked = ((template.get("spec") or {}).get("resources") or {}).get("requests") or {}
        where = f"{field}.ephemeral.volumeClaimTemplate.spec.resources.requests[storage]"
        yield from fraction_warnings(where, asked.get("storage"))


def _duplicate_warnings(field: str, spec: Object) -> Iterator[str]:
    for name, key, noun in (("hostAliases", "ip", "ip"), ("imagePullSecrets", "name", "name")):
        seen: set[str] = set()
        for position, each in enumerate(spec.get(name) or ()):
            value = each.get(key, "")
            if value in seen:
                yield f'{field}.{name}[{position}].{key}: duplicate {noun} "{value}"'
            seen.add(value)
    for position, each in enumerate(spec.get("imagePullSecrets") or ()):
        if not each.get("name"):
            yield f'{field}.imagePullSecrets[{position}].name: invalid empty name ""'


def fraction_warnings(field: str, amount: str | None) -> Iterator[str]:
    if amount is not None and quantity.milli(amount) % 1000:
        yield f'{field}: fractional byte value "{amount}" is invalid, must be an integer'


def _profile_warnings(prefix: str, spec: Object, annotations: Object) -> Iterator[str]:
    own = spec.get("securityContext") or {}
    where = f"{prefix}metadata.annotations"
    seccomp = 'non-functional in v1.27+; use the "seccompProfile" field instead'
    if "seccompProfile" not in own and _SECCOMP_POD in annotations:
        yield f"{where}[{_SECCOMP_POD}]: {seccomp}"
    for name in CONTAINER_LISTS:
        for each in spec.get(name) or ():
            context, container = each.get("securityContext") or {}, each.get("name", "")
            if "seccompProfile" not in context and f"{_SECCOMP}{container}" in annotations:
                yield f"{where}[{_SECCOMP}{container}]: {seccomp}"
            given = not prefix or "appArmorProfile" in own or "appArmorProfile" in context
            if not given and f"{APPARMOR}{container}" in annotations:
                yield f"{where}[{APPARMOR}{container}]: {DEPRECATED_ANNOTATION}"


def _container_warnings(field: str, spec: Object) -> Iterator[str]:
    for name in CONTAINER_LISTS:
        for position, each in enumerate(spec.get(name) or ()):
            where, resources = f"{field}.{name}[{position}]", each.get("resources") or {}
            if resources:
                for resource in _WHOLE:
                    for which in ("limits", "requests"):
                        amount = (resources.get(which) or {}).get(resource)
                        yield from fraction_warnings(f"{where}.resources.{which}[{resource}]", amount)
            if len(each.get("env") or ()) > 1:
                yield from _env_warnings(f"{where}.env", each["env"])


def _env_warnings(field: str, env: list[Object]) -> Iterator[str]:
    seen: set[str] = set()
    for position, each in enumerate(env):
        name, value = each.get("name", ""), each.get("value", "")
        reference = f"$({name})"
        if name not in seen:
            seen.add(name)
        elif "valueFrom" in each or value == reference or reference not in value:
            why = f'hides previous definition of "{name}", which may be dropped when using apply'
            yield f"{field}[{position}]: {why}"


def _port_warnings(field: str, spec: Object) -> Iterator[str]:
    seen: dict[tuple[int, str], list[tuple[str, Object]]] = {}
    for name in CONTAINER_LISTS:
        for position, container in enumerate(spec.get(name) or ()):
            for number, port in enumerate(container.get("ports") or ()):
                where = f"{field}.{name}[{position}].ports[{number}]"
                if port.get("hostIP") and not port.get("hostPort"):
                    yield f"{where}: hostIP set without hostPort: {_shown_port(port)}"
                others = seen.setdefault((port.get("containerPort", 0), port.get("protocol", "")), [])
                for place, other in others:
                    if how := _overlap(port, other):
                        yield f"{where}: {how} port definition with {place}"
                others.append((where, port))


def _shown_port(port: Object) -> str:
    """As Go prints the structure."""
    names = (
        ("Name", "name", ""), ("HostPort", "hostPort", 0), ("ContainerPort", "containerPort", 0),
        ("Protocol", "protocol", ""), ("HostIP", "hostIP", ""),
    )  # fmt: skip
    return "{" + " ".join(f"{shown}:{port.get(key, empty)}" for shown, key, empty in names) + "}"


def _overlap(port: Object, other: Object) -> str:
    ip, host = port.get("hostIP", ""), port.get("hostPort", 0)
    other_ip, other_host = other.get("hostIP", ""), other.get("hostPort", 0)
    if (ip, host) == (other_ip, other_host):
        return "duplicate"
    if not host or not other_host:
        return "overlapping"
    return "dangerously ambiguous" if host == other_host and (not ip) != (not other_ip) else ""


def _affinity_warnings(field: str, affinity: Object) -> Iterator[str]:
    why = "a null labelSelector results in matching no pod"
    for kind in _AFFINITIES:
        terms = affinity.get(kind) or {}
        for position, term in enumerate(terms.get(_REQUIRED) or ()):
            if term.get("labelSelector") is None:
                yield f"{field}.{kind}.{_REQUIRED}[{position}].labelSelector: {why}"
        for position, each in enumerate(terms.get(_PREFERRED) or ()):
            if (each.get("podAffinityTerm") or {}).get("labelSelector") is None:
                yield f"{field}.{kind}.{_PREFERRED}[{position}].podAffinityTerm.labelSelector: {why}"
