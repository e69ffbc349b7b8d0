"""Validation of pods and pod templates: the spec as a whole."""

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import (
    label_errors,
    qualified_name_errors,
    subdomain_errors,
)
from server.registry.causes import (
    choice,
    duplicate,
    forbidden,
    in_range,
    invalid,
    invalids,
)
from server.registry.groups.core.claim_references import claim_reference_causes
from server.registry.groups.core.container_validation import PodContext, host_network_causes, list_causes
from server.registry.groups.core.dns_validation import dns_causes
from server.registry.groups.core.pod_resources import pod_level_causes
from server.registry.groups.core.resource_validation import amount_causes, container_name_causes
from server.registry.groups.core.scheduling_validation import (
    affinity_causes,
    spread_causes,
    toleration_causes,
)
from server.registry.groups.core.security_validation import (
    annotation_match_causes,
    host_users_causes,
    pod_security_causes,
)
from server.registry.groups.core.volume_validation import volume_causes
from server.registry.groups.core.windows_validation import host_process_causes, os_causes
from server.registry.groups.ip_validation import ip_errors
from server.registry.metadata import annotation_causes, label_causes

RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_PREEMPTION = ("PreemptLowerPriority", "Never")
_LONGEST = 2**31 - 1
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


def pod_causes(obj: Object) -> list[Cause]:
    """Of a pod that is new or changed; what holds at creation only is in `pod_create_causes`."""
    own, spec = obj.get("metadata") or {}, obj.get("spec") or {}
    causes = metadata_causes(obj)
    causes += pod_spec_causes("spec", spec, pod=own.get("name", ""), is_pod=True)
    if spec.get("serviceAccountName"):
        return causes
    for position, volume in enumerate(spec.get("volumes") or ()):
        for number, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
            if "serviceAccountToken" in source:
                where = f"spec.volumes[{position}].projected.sources[{number}].serviceAccountToken"
                causes.append(forbidden(where, "must not be specified when serviceAccountName is not set"))
    return causes


def metadata_causes(obj: Object) -> list[Cause]:
    """What pods ask of metadata, beside what all objects ask."""
    return _cost_causes("metadata.annotations", obj.get("metadata") or {})


def pod_create_causes(obj: Object) -> list[Cause]:
    spec = obj.get("spec") or {}
    causes: list[Cause] = []
    if spec.get("ephemeralContainers"):
        causes.append(forbidden("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        why = "cannot be set until all schedulingGates have been cleared"
        causes.append(forbidden("spec.nodeName", why))
    return causes + annotation_match_causes(obj.get("metadata") or {}, spec, "spec")


def template_causes(field: str, template: Object) -> list[Cause]:
    """A pod template's metadata and spec, for workloads."""
    own, spec = template.get("metadata") or {}, template.get("spec") or {}
    causes = template_metadata_causes(field, own)
    causes += pod_spec_causes(f"{field}.spec", spec)
    causes += annotation_match_causes(own, spec, f"{field}.spec")
    if spec.get("ephemeralContainers"):
        why = "ephemeral containers not allowed in pod template"
        causes.append(forbidden(f"{field}.spec.ephemeralContainers", why))
    return causes


def template_metadata_causes(field: str, own: Object) -> list[Cause]:
    causes = label_causes(f"{field}.labels", own.get("labels") or {})
    causes += annotation_causes(f"{field}.annotations", own.get("annotations") or {})
    return causes + _cost_causes(f"{field}.annotations", own)


def _cost_causes(field: str, own: Object) -> list[Cause]:
    cost = (own.get("annotations") or {}).get(_DELETION_COST)
    if cost is None:
        return []
    digits = cost.removeprefix("-")
    if digits.isdecimal() and cost != "-0" and (digits == "0" or not digits.startswith("0")):
        return []
    return [invalid(f"{field}[{_DELETION_COST}]", cost, "must be a 32bit integer")]


def pod_spec_causes(field: str, spec: Object, *, pod: str = "", is_pod: bool = False) -> list[Cause]:
    """`pod` is the pod's name; in a template there is none yet."""
    volumes, causes = volume_causes(f"{field}.volumes", spec.get("volumes") or [], pod=pod, is_pod=is_pod)
    claims = spec.get("resourceClaims") or []
    if claims:
        causes += claim_reference_causes(f"{field}.resourceClaims", claims)
    context = PodContext(
        volumes,
        frozenset(each["name"] for each in claims if each.get("name")),
        spec.get("hostUsers") is not False,
        spec.get("restartPolicy", ""),
        spec.get("terminationGracePeriodSeconds", 0),
        (spec.get("os") or {}).get("name", ""),
        is_pod,
    )
    causes += list_causes(field, spec, context)
    causes += pod_level_causes(f"{field}.resources", spec)
    causes += host_network_causes(field, spec, is_pod=is_pod)
    causes += choice(f"{field}.restartPolicy", spec.get("restartPolicy"), RESTART_POLICIES)
    causes += choice(f"{field}.dnsPolicy", spec.get("dnsPolicy"), _DNS_POLICIES)
    if selector := spec.get("nodeSelector"):
        causes += label_causes(f"{field}.nodeSelector", selector)
    causes += pod_security_causes(f"{field}.securityContext", spec.get("securityContext") or {}, spec)
    if affinity := spec.get("affinity"):
        causes += affinity_causes(f"{field}.affinity", affinity)
    causes += dns_causes(f"{field}.dnsConfig", spec)
    causes += _gate_causes(field, spec)
    if constraints := spec.get("topologySpreadConstraints"):
        causes += spread_causes(f"{field}.topologySpreadConstraints", constraints)
    return causes + host_process_causes(field, spec) + _rest_causes(field, spec)


def _rest_causes(field: str, spec: Object) -> list[Cause]:
    causes = host_users_causes(field, spec)
    causes += _name_causes(field, spec)
    if (deadline := spec.get("activeDeadlineSeconds")) is not None:
        causes += in_range(f"{field}.activeDeadlineSeconds", deadline, 1, _LONGEST)
    causes += toleration_causes(f"{field}.tolerations", spec.get("tolerations") or [])
    if aliases := spec.get("hostAliases"):
        causes += _alias_causes(f"{field}.hostAliases", aliases)
    if (policy := spec.get("preemptionPolicy")) is not None:
        causes += choice(f"{field}.preemptionPolicy", policy, _PREEMPTION)
    for resource, amount in (spec.get("overhead") or {}).items():
        where = f"{field}.overhead.limits[{resource}]"
        causes += container_name_causes(where, resource) + amount_causes(where, resource, amount)
    return causes + os_causes(field, spec)


def _name_causes(field: str, spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    for name, errors in (
        ("serviceAccountName", subdomain_errors),
        ("nodeName", subdomain_errors),
        ("hostname", label_errors),
        ("subdomain", label_errors),
        ("priorityClassName", subdomain_errors),
        ("runtimeClassName", subdomain_errors),
    ):
        if value := spec.get(name):
            causes += invalids(f"{field}.{name}", value, errors(value))
    return causes + _hostname_override_causes(f"{field}.hostnameOverride", spec)


def _hostname_override_causes(field: str, spec: Object) -> list[Cause]:
    name = spec.get("hostnameOverride")
    if name is None:
        return []
    causes: list[Cause] = []
    if spec.get("setHostnameAsFQDN"):
        causes.append(forbidden(field, "may not be set when setHostnameAsFQDN is true"))
    if spec.get("hostNetwork"):
        causes.append(forbidden(field, "may not be set when hostNetwork is true"))
    errors = subdomain_errors(name)
    if len(name) > 64:
        errors.append("must be no more than 64 characters")
    return causes + invalids(field, name, errors)


def _gate_causes(field: str, spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    for position, each in enumerate(spec.get("readinessGates") or ()):
        kind = each.get("conditionType", "")
        where = f"{field}.readinessGates[{position}].conditionType"
        causes += invalids(where, kind, qualified_name_errors(kind))
    seen: set[str] = set()
    for position, each in enumerate(spec.get("schedulingGates") or ()):
        name, where = each.get("name", ""), f"{field}.schedulingGates[{position}]"
        causes += invalids(where, name, qualified_name_errors(name))
        if name in seen:
            causes.append(duplicate(where, name))
        seen.add(name)
    return causes


def _alias_causes(field: str, aliases: list[Object]) -> list[Cause]:
    causes: list[Cause] = []
    for position, each in enumerate(aliases):
        ip = each.get("ip", "")
        causes += invalids(f"{field}[{position}].ip", ip, ip_errors(ip))
        for number, hostname in enumerate(each.get("hostnames") or ()):
            where = f"{field}[{position}].hostnames[{number}]"
            causes += invalids(where, hostname, subdomain_errors(hostname))
    return causes
