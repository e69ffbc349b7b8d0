"""Validation of a Service's cluster addresses and IP families, and of what updates may do to them."""

from collections.abc import Sequence

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import (
    duplicate,
    forbidden,
    invalid,
    invalids,
    not_supported,
    required,
)
from server.registry.groups.core.node_ports import needs_health_port
from server.registry.groups.ip_validation import ip_errors, parsed_ip
from server.registry.settings import Settings

_FAMILIES = ("IPv4", "IPv6")
_POLICIES = ("PreferDualStack", "RequireDualStack", "SingleStack")
_IPS, _POLICY = "spec.clusterIPs", "spec.ipFamilyPolicy"
_ONCE = "may not change once set"
_TWO_POLICIES = "must be 'RequireDualStack' or 'PreferDualStack' when multiple {} are specified"


def is_headless(spec: Object) -> bool:
    return spec.get("clusterIPs") == ["None"]


def address_causes(spec: Object) -> list[Cause]:
    if spec.get("type") == "ExternalName":
        return []
    given, ips = spec.get("clusterIP", ""), spec.get("clusterIPs") or []
    causes: list[Cause] = []
    if given and not ips:
        causes.append(required(_IPS))
    elif given and ips[0] != given:
        causes.append(invalid(_IPS, ips, "first value must match `clusterIP`"))
    elif not given and ips:
        causes.append(invalid(_IPS, ips, "must be empty when `clusterIP` is not specified"))
    causes += _family_causes(spec.get("ipFamilies") or [])
    policy = spec.get("ipFamilyPolicy")
    if policy is not None and policy not in _POLICIES:
        causes.append(not_supported(_POLICY, policy, _POLICIES))
    wrong = _ip_causes(ips)
    if len(ips) > 2:
        causes.append(invalid(_IPS, ips, "may only hold up to 2 values"))
    if wrong or ips[:1] == ["None"]:
        return causes + wrong
    return causes + _pair_causes(ips, spec.get("ipFamilies") or [])


def _family_causes(families: Sequence[str]) -> list[Cause]:
    causes: list[Cause] = []
    for position, each in enumerate(families):
        where = f"spec.ipFamilies[{position}]"
        if each not in _FAMILIES:
            causes.append(not_supported(where, each, _FAMILIES))
        if each in families[:position]:
            causes.append(duplicate(where, each))
    return causes


def _ip_causes(ips: list[str]) -> list[Cause]:
    if ips[:1] == ["None"]:
        why = "'None' must be the first and only value"
        return [invalid(_IPS, ips, why)] if len(ips) > 1 else []
    causes: list[Cause] = []
    for position, each in enumerate(ips):
        causes += invalids(f"{_IPS}[{position}]", each, ip_errors(each))
    return causes


def _pair_causes(ips: list[str], families: list[str]) -> list[Cause]:
    own = [f"IPv{found.version}" for each in ips if (found := parsed_ip(each))]
    causes: list[Cause] = []
    if len(ips) > 1 and len(set(own)) == 1:
        causes.append(invalid(_IPS, ips, "may specify no more than one IP for each IP family"))
    for position, (ip, family, wanted) in enumerate(zip(ips, own, families, strict=False)):
        if family != wanted:
            why = f"expected an {wanted} value as indicated by `ipFamilies[{position}]`"
            causes.append(invalid(f"{_IPS}[{position}]", ip, why))
    return causes


def stack_causes(settings: Settings, spec: Object) -> list[Cause]:
    """What is asked for must be what the cluster has; before anything is filled in."""
    if spec.get("type") == "ExternalName":
        return []
    configured = {f"IPv{network.version}" for network in settings.service_networks}
    families, policy = spec.get("ipFamilies") or [], spec.get("ipFamilyPolicy")
    ips = spec.get("clusterIPs") or []
    causes: list[Cause] = []
    if policy == "SingleStack":
        if len(ips) == 2:
            causes.append(invalid(_POLICY, policy, _TWO_POLICIES.format("cluster IPs")))
        if len(families) == 2:
            causes.append(invalid(_POLICY, policy, _TWO_POLICIES.format("IP families")))
    if is_headless(spec) and not spec.get("selector"):
        return causes
    for position, each in enumerate(families):
        if each in _FAMILIES and each not in configured:
            where = f"spec.ipFamilies[{position}]"
            causes.append(invalid(where, each, "not configured on this cluster"))
    if policy == "RequireDualStack" and len(configured) < 2:
        why = "this cluster is not configured for dual-stack services"
        causes.append(invalid(_POLICY, policy, why))
    return causes


def update_causes(spec: Object, before: Object) -> list[Cause]:
    """The primary address may not change, but for services that become or cease to be ExternalName."""
    causes: list[Cause] = []
    if "ExternalName" not in (spec.get("type"), before.get("type")):
        causes += _address_update_causes(spec, before) + _family_update_causes(spec, before)
    both = spec.get("type") == before.get("type") == "LoadBalancer"
    if both and spec.get("loadBalancerClass") != before.get("loadBalancerClass"):
        causes.append(invalid("spec.loadBalancerClass", spec.get("loadBalancerClass"), _ONCE))
    port = before.get("healthCheckNodePort")
    if needs_health_port(before) and needs_health_port(spec) and spec.get("healthCheckNodePort") != port:
        causes.append(forbidden("spec.healthCheckNodePort", "field is immutable"))
    return causes


def _address_update_causes(spec: Object, before: Object) -> list[Cause]:
    if is_headless(spec) and is_headless(before):
        return []
    new, old = spec.get("clusterIPs") or [], before.get("clusterIPs") or []
    if len(new) == len(old):
        return [
            invalid(f"{_IPS}[{position}]", new, _ONCE)
            for position, (ip, was) in enumerate(zip(new, old, strict=True))
            if ip != was
        ]
    causes: list[Cause] = []
    if not new:
        causes.append(invalid(f"{_IPS}[0]", new, "primary clusterIP can not be unset"))
    elif old and new[0] != old[0]:
        causes.append(invalid(f"{_IPS}[0]", new, _ONCE))
    if len(new) == 1 and len(old) > 1 and spec.get("ipFamilyPolicy") != "SingleStack":
        why = "must be set to 'SingleStack' when releasing the secondary clusterIP"
        causes.append(invalid(_POLICY, spec.get("ipFamilyPolicy"), why))
    return causes


def _family_update_causes(spec: Object, before: Object) -> list[Cause]:
    if is_headless(spec) or is_headless(before):
        return []
    new, old = spec.get("ipFamilies") or [], before.get("ipFamilies") or []
    field = "spec.ipFamilies[0]"
    if len(new) == len(old):
        return [invalid(field, new, _ONCE) for one, was in zip(new, old, strict=True) if one != was]
    causes = [invalid(field, new, _ONCE)] if new and old and new[0] != old[0] else []
    if len(new) == 1 and len(old) > 1 and spec.get("ipFamilyPolicy") != "SingleStack":
        why = "must be set to 'SingleStack' when releasing the secondary ipFamily"
        causes.append(invalid(_POLICY, spec.get("ipFamilyPolicy"), why))
    return causes
