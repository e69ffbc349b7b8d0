"""Validation of pods' statuses: addresses, conditions, containers that must not come back to life."""

from collections.abc import Iterator

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import qualified_name_errors, subdomain_errors
from server.registry.causes import (
    duplicate,
    forbidden,
    immutable,
    in_range,
    invalid,
    invalids,
    not_supported,
)
from server.registry.groups.core.pod_update import annotation_update_causes
from server.registry.groups.ip_validation import ip_errors, parsed_ip

_LARGEST_ID = 2**31 - 1
_HEALTHS = ("Healthy", "Unhealthy", "Unknown")
_LISTS = {
    "containerStatuses": "containers",
    "initContainerStatuses": "initContainers",
    "ephemeralContainerStatuses": "ephemeralContainers",
}
_SYSTEM_CONDITIONS = ("PodScheduled", "Ready", "Initialized")


def status_causes(obj: Object, old: Object) -> list[Cause]:
    status, before, spec = obj.get("status") or {}, old.get("status") or {}, old["spec"]
    causes = annotation_update_causes(obj, old)
    for position, each in enumerate(status.get("conditions") or ()):
        kind = each.get("type", "")
        if kind not in _SYSTEM_CONDITIONS:
            causes += invalids(f"metadata.conditions[{position}].Type", kind, qualified_name_errors(kind))
    node = status.get("nominatedNodeName")
    if node and node != before.get("nominatedNodeName"):
        causes += invalids("status.nominatedNodeName", node, subdomain_errors(node))
    if status.get("qosClass") != before.get("qosClass"):
        causes.append(immutable("status.qosClass", status.get("qosClass", "")))
    for name in _LISTS:
        causes += _transition_causes(name, status, before, spec)
    causes += _claim_causes(status.get("resourceClaimStatuses") or [], spec)
    causes += _address_causes("podIPs", status)
    causes += _address_causes("hostIPs", status)
    for name, containers in _LISTS.items():
        causes += _container_status_causes(f"status.{name}", status.get(name) or [], spec, containers)
    return causes


def _transition_causes(name: str, status: Object, before: Object, spec: Object) -> list[Cause]:
    """What has ended for good stays ended."""
    policy = "Never" if name == "ephemeralContainerStatuses" else spec.get("restartPolicy")
    if policy == "Always":
        return []
    if name != "ephemeralContainerStatuses" and _may_restart_all(spec):
        return []
    containers = {each.get("name"): each for each in spec.get(_LISTS[name]) or ()}
    revived = {
        each.get("name")
        for each in status.get(name) or ()
        if (each.get("state") or {}).get("terminated") is None
    }
    causes: list[Cause] = []
    for position, was in enumerate(before.get(name) or ()):
        ended = (was.get("state") or {}).get("terminated")
        if ended is None or was.get("name") not in revived:
            continue
        if not _may_restart(containers.get(was.get("name")) or {}, policy, ended):
            where = f"status.{name}[{position}].state"
            causes.append(forbidden(where, "may not be transitioned to non-terminated state"))
    return causes


def _may_restart_all(spec: Object) -> bool:
    """Whether the end of one container may let all start anew."""
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    rules = [rule for each in containers for rule in each.get("restartPolicyRules") or ()]
    return any(rule.get("action") == "RestartAllContainers" for rule in rules)


def _may_restart(container: Object, policy: str | None, ended: Object) -> bool:
    code = ended.get("exitCode", 0)
    if container.get("restartPolicyRules"):
        return True
    own = container.get("restartPolicy") or policy
    return own == "Always" or (own == "OnFailure" and code != 0)


def _claim_causes(statuses: list[Object], spec: Object) -> list[Cause]:
    known = {each.get("name") for each in spec.get("resourceClaims") or ()}
    causes: list[Cause] = []
    seen: set[str] = set()
    for position, each in enumerate(statuses):
        where, name = f"status.resourceClaimStatuses[{position}].name", each.get("name", "")
        if name not in known:
            why = "must match the name of an entry in `spec.resourceClaims`"
            causes.append(invalid(where, name, why))
        if name in seen:
            causes.append(duplicate(where, name))
        seen.add(name)
        if claim := each.get("resourceClaimName"):
            causes += invalids(where, claim, subdomain_errors(claim))
    return causes


def _address_causes(name: str, status: Object) -> list[Cause]:
    field, given = f"status.{name}", [each.get("ip", "") for each in status.get(name) or ()]
    causes: list[Cause] = []
    if name == "hostIPs" and given and given[0] != status.get("hostIP", ""):
        causes.append(invalid(f"{field}[0].ip", given[0], "must be equal to `hostIP`"))
    for position, each in enumerate(given):
        causes += invalids(f"{field}[{position}]", each, ip_errors(each))
    if len(given) < 2 or causes:
        return causes
    versions = [found.version for each in given if (found := parsed_ip(each))]
    if len(given) > 2 or len(set(versions)) != len(versions):
        why = "may specify no more than one IP for each IP family"
        causes.append(invalid(field, status[name], why))
    seen: set[str] = set()
    for position, each in enumerate(given):
        causes += [duplicate(f"{field}[{position}]", {"ip": each})] if each in seen else []
        seen.add(each)
    return causes


def _container_status_causes(
    field: str, statuses: list[Object], spec: Object, containers: str
) -> list[Cause]:
    causes: list[Cause] = []
    for position, each in enumerate(statuses):
        if user := each.get("user"):
            causes += _user_causes(f"{field}[{position}].linux", user, spec)
        if not (allocated := each.get("allocatedResourcesStatus")):
            continue
        where = f"{field}[{position}].allocatedResourcesStatus"
        if containers == "ephemeralContainers":
            causes.append(forbidden(where, "must not be specified in container status"))
            continue
        named = [one for one in spec.get(containers) or () if one.get("name") == each.get("name")]
        for number, resource in enumerate(allocated):
            causes += _allocated_causes(f"{where}[{number}]", resource, named)
    return causes


def _user_causes(field: str, user: Object, spec: Object) -> Iterator[Cause]:
    linux = user.get("linux")
    if linux is None:
        return
    if (spec.get("os") or {}).get("name") == "windows":
        yield forbidden(field, "cannot be set for a windows pod")
        return
    for name in ("uid", "gid"):
        yield from in_range(f"{field}.{name}", linux.get(name, 0), 0, _LARGEST_ID)
    for position, group in enumerate(linux.get("supplementalGroups") or ()):
        yield from in_range(f"{field}.supplementalGroups[{position}]", group, 0, _LARGEST_ID)


def _allocated_causes(field: str, resource: Object, named: list[Object]) -> list[Cause]:
    name = resource.get("name", "")
    causes: list[Cause] = []
    for container in named[:1]:
        known, why = _allocatable(name, container.get("resources") or {})
        if name not in known:
            causes.append(invalid(f"{field}.name", name, why))
    seen: set[str] = set()
    for position, each in enumerate(resource.get("resources") or ()):
        where, identity = f"{field}.resources[{position}]", each.get("resourceID", "")
        if each.get("health") not in _HEALTHS:
            causes.append(not_supported(f"{where}.health", each.get("health", ""), _HEALTHS))
        causes += [duplicate(f"{where}.resourceID", identity)] if identity in seen else []
        seen.add(identity)
    return causes


def _allocatable(name: str, resources: Object) -> tuple[list[str], str]:
    """What a container can have been given under such a name, and what to say when it was not this."""
    if not name.startswith("claim:"):
        return list(resources.get("requests") or ()), "must match one of the container's resource requests"
    claims = [(each.get("name", ""), each.get("request")) for each in resources.get("claims") or ()]
    why = (
        "must match one of the container's resource claims in a format 'claim:<claimName>/<request>' or"
        " 'claim:<claimName>' if request is empty"
    )
    return [f"claim:{claim}/{request}" if request else f"claim:{claim}" for claim, request in claims], why
