"""Validation of pods and pod templates: the spec as a whole."""

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import (
    label_errors,
    label_value_errors,
    qualified_name_errors,
    subdomain_errors,
)
from server.registry.causes import at_least, forbidden, in_range, invalid, invalids, one_of, required
from server.registry.groups.core.container_validation import ephemeral_causes, list_causes
from server.registry.groups.core.scheduling_validation import affinity_causes, toleration_causes
from server.registry.groups.core.volume_validation import volume_causes
from server.registry.metadata import annotation_causes, label_causes

RESTART_POLICIES = ("Always", "OnFailure", "Never")
_DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
_PREEMPTION = ("PreemptLowerPriority", "Never")
_LONGEST = 2**31 - 1


def pod_causes(obj: Object) -> list[Cause]:
    spec = obj.get("spec") or {}
    return pod_spec_causes("spec", spec) + ephemeral_causes("spec.ephemeralContainers", spec)


def template_causes(field: str, template: Object) -> list[Cause]:
    """A pod template's metadata and spec, for workloads."""
    own = template.get("metadata") or {}
    causes = label_causes(f"{field}.labels", own.get("labels") or {})
    causes += annotation_causes(f"{field}.annotations", own.get("annotations") or {})
    causes += pod_spec_causes(f"{field}.spec", template.get("spec") or {})
    if (template.get("spec") or {}).get("ephemeralContainers"):
        why = "ephemeral containers not allowed in pod template"
        causes.append(forbidden(f"{field}.spec.ephemeralContainers", why))
    return causes


def pod_spec_causes(field: str, spec: Object) -> list[Cause]:
    volumes, causes = volume_causes(f"{field}.volumes", spec.get("volumes") or [])
    causes += list_causes(field, spec, volumes)
    causes += one_of(f"{field}.restartPolicy", spec.get("restartPolicy"), RESTART_POLICIES)
    causes += one_of(f"{field}.dnsPolicy", spec.get("dnsPolicy"), _DNS_POLICIES)
    causes += _number_causes(field, spec)
    causes += _name_causes(field, spec)
    causes += _node_selector_causes(f"{field}.nodeSelector", spec.get("nodeSelector") or {})
    causes += toleration_causes(f"{field}.tolerations", spec.get("tolerations") or [])
    causes += affinity_causes(f"{field}.affinity", spec.get("affinity") or {})
    causes += _dns_causes(field, spec)
    causes += _alias_causes(f"{field}.hostAliases", spec.get("hostAliases") or [])
    causes += _security_causes(f"{field}.securityContext", spec.get("securityContext") or {})
    return causes + _choice_causes(field, spec)


def _number_causes(field: str, spec: Object) -> list[Cause]:
    causes = at_least(f"{field}.terminationGracePeriodSeconds", spec.get("terminationGracePeriodSeconds"))
    if (deadline := spec.get("activeDeadlineSeconds")) is not None:
        causes += in_range(f"{field}.activeDeadlineSeconds", deadline, 1, _LONGEST)
    return causes


def _name_causes(field: str, spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    for name, errors in (
        ("serviceAccountName", subdomain_errors),
        ("nodeName", subdomain_errors),
        ("priorityClassName", subdomain_errors),
        ("runtimeClassName", subdomain_errors),
        ("hostname", label_errors),
        ("subdomain", label_errors),
    ):
        if value := spec.get(name):
            causes += invalids(f"{field}.{name}", value, errors(value))
    for position, each in enumerate(spec.get("imagePullSecrets") or ()):
        if not each.get("name"):
            causes.append(required(f"{field}.imagePullSecrets[{position}].name"))
    for position, each in enumerate(spec.get("schedulingGates") or ()):
        name = each.get("name", "")
        causes += invalids(f"{field}.schedulingGates[{position}].name", name, qualified_name_errors(name))
    for position, each in enumerate(spec.get("readinessGates") or ()):
        kind = each.get("conditionType", "")
        where = f"{field}.readinessGates[{position}].conditionType"
        causes += invalids(where, kind, qualified_name_errors(kind))
    return causes


def _node_selector_causes(field: str, selector: Mapping[str, str]) -> list[Cause]:
    causes: list[Cause] = []
    for key, value in selector.items():
        causes += invalids(field, key, qualified_name_errors(key))
        causes += invalids(field, value, label_value_errors(value))
    return causes


def _dns_causes(field: str, spec: Object) -> list[Cause]:
    config = spec.get("dnsConfig") or {}
    servers = config.get("nameservers") or []
    where = f"{field}.dnsConfig.nameservers"
    if spec.get("dnsPolicy") == "None" and not servers:
        why = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        return [required(where, why)]
    causes = [] if len(servers) <= 3 else [invalid(where, servers, "must not have more than 3 nameservers")]
    return causes + [
        cause for position, each in enumerate(servers) for cause in ip_causes(f"{where}[{position}]", each)
    ]


def ip_causes(field: str, value: Any) -> list[Cause]:
    try:
        ip_address(value)
    except ValueError:
        return [invalid(field, value, "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)")]
    return []


def _alias_causes(field: str, aliases: list[Object]) -> list[Cause]:
    causes: list[Cause] = []
    for position, each in enumerate(aliases):
        causes += ip_causes(f"{field}[{position}].ip", each.get("ip", ""))
        for number, hostname in enumerate(each.get("hostnames") or ()):
            where = f"{field}[{position}].hostnames[{number}]"
            causes += invalids(where, hostname, subdomain_errors(hostname))
    return causes


def _security_causes(field: str, context: Object) -> list[Cause]:
    causes: list[Cause] = []
    for name in ("runAsUser", "runAsGroup", "fsGroup"):
        if (value := context.get(name)) is not None:
            causes += in_range(f"{field}.{name}", value, 0, _LONGEST)
    for position, group in enumerate(context.get("supplementalGroups") or ()):
        causes += in_range(f"{field}.supplementalGroups[{position}]", group, 0, _LONGEST)
    return causes


def _choice_causes(field: str, spec: Object) -> list[Cause]:
    causes: list[Cause] = []
    if policy := spec.get("preemptionPolicy"):
        causes += one_of(f"{field}.preemptionPolicy", policy, _PREEMPTION)
    if os := spec.get("os"):
        causes += one_of(f"{field}.os.name", os.get("name"), ("linux", "windows"))
    return causes
