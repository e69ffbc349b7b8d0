"""Validation of compute resources: requests and limits of containers and of whole pods."""

from collections.abc import Callable, Set

from kubeling.objects import quantity
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors, qualified_name_errors
from server.registry.causes import duplicate, forbidden, invalid, invalids, not_found, not_supported, required

_COMPUTE = ("cpu", "memory")
_CONTAINER = ("cpu", "memory", "ephemeral-storage")
_HUGE_PAGES = "hugepages-"
_OBJECTS = (
    "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps",
    "persistentvolumeclaims", "services.nodeports", "services.loadbalancers",
)  # fmt: skip
STANDARD = frozenset(
    [*_CONTAINER, *_OBJECTS, "storage", "requests.storage"]
    + [f"{which}.{name}" for which in ("requests", "limits") for name in _CONTAINER]
)
"""The names without a domain that are resources."""
_NameCheck = Callable[[str, str], list[Cause]]


def resource_causes(field: str, resources: Object, claims: Set[str] = frozenset()) -> list[Cause]:
    """A container's resources; `claims` are the names of the pod's resource claims."""
    if not resources:
        return []
    causes = _amounts_causes(field, resources, container_name_causes)
    return causes + _claim_causes(f"{field}.claims", resources.get("claims") or [], claims)


def pod_resource_causes(field: str, resources: Object) -> list[Cause]:
    """A whole pod's resources."""
    causes: list[Cause] = []
    if resources.get("claims") is not None:
        causes.append(forbidden(f"{field}.claims", "claims cannot be set for Resources at pod-level"))
    return causes + _amounts_causes(field, resources, _pod_name_causes)


def _amounts_causes(field: str, resources: Object, check_name: _NameCheck) -> list[Cause]:
    requests, limits = resources.get("requests") or {}, resources.get("limits") or {}
    causes: list[Cause] = []
    for name, amount in limits.items():
        where = f"{field}.limits[{name}]"
        causes += check_name(where, name) + amount_causes(where, name, amount)
        causes += _page_causes(where, name, amount)
    for name, amount in requests.items():
        where = f"{field}.requests[{name}]"
        causes += check_name(where, name) + amount_causes(where, name, amount)
        causes += _limit_causes(field, name, amount, limits.get(name))
        causes += _page_causes(where, name, amount)
    names = {*requests, *limits}
    if not names.intersection(_COMPUTE) and any(name.startswith(_HUGE_PAGES) for name in names):
        causes.append(forbidden(field, "HugePages require cpu or memory"))
    return causes


def resource_name_causes(field: str, name: str) -> list[Cause]:
    """A standard name, or one with a domain."""
    if errors := qualified_name_errors(name):
        return invalids(field, name, errors)
    if "/" in name or name in STANDARD or name.startswith((_HUGE_PAGES, f"requests.{_HUGE_PAGES}")):
        return []
    return [invalid(field, name, "must be a standard resource type or fully qualified")]


def container_name_causes(field: str, name: str) -> list[Cause]:
    if name in _CONTAINER:
        return []
    causes = resource_name_causes(field, name)
    if "/" not in name:
        if name.startswith(_HUGE_PAGES):
            return causes
        return [*causes, invalid(field, name, "must be a standard resource for containers")]
    if not is_native(name) and not _is_extended(name):
        causes.append(invalid(field, name, "doesn't follow extended resource name standard"))
    return causes


def _pod_name_causes(field: str, name: str) -> list[Cause]:
    causes = resource_name_causes(field, name)
    if causes or name in _COMPUTE or name.startswith(_HUGE_PAGES):
        return causes
    return [not_supported(field, name, ("cpu", _HUGE_PAGES, "memory"))]


def is_native(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def _is_extended(name: str) -> bool:
    if name.startswith("requests."):
        return False
    return not qualified_name_errors(f"requests.{name}")


def overcommits(name: str) -> bool:
    """Whether requests of the resource may be less than its limits."""
    return is_native(name) and not name.startswith(_HUGE_PAGES)


def is_whole(name: str) -> bool:
    """Whether only whole numbers of the resource make sense."""
    return name in _OBJECTS or (not is_native(name) and _is_extended(name))


def amount_causes(field: str, name: str, amount: str) -> list[Cause]:
    """An amount of a resource: not negative, and whole where the resource cannot be divided."""
    parsed = quantity.parse(amount)
    causes: list[Cause] = []
    if parsed < 0:
        causes.append(invalid(field, amount, "must be greater than or equal to 0"))
    if is_whole(name) and parsed != parsed.to_integral_value():
        causes.append(invalid(field, amount, "must be an integer"))
    return causes


def _page_causes(field: str, name: str, amount: str) -> list[Cause]:
    if not name.startswith(_HUGE_PAGES):
        return []
    try:
        size = quantity.parse(name.removeprefix(_HUGE_PAGES))
    except quantity.QuantityError:
        return []
    if size > 0 and quantity.parse(amount) % size == 0:
        return []
    return [invalid(field, amount, f"{amount} is not positive integer multiple of {name}")]


def _limit_causes(field: str, name: str, request: str, limit: str | None) -> list[Cause]:
    if limit is None:
        if overcommits(name):
            return []
        return [required(f"{field}.limits", "Limit must be set for non overcommitable resources")]
    asked, most = quantity.parse(request), quantity.parse(limit)
    if asked != most and not overcommits(name):
        return [invalid(f"{field}.requests", request, f"must be equal to {name} limit of {limit}")]
    if asked > most:
        why = f"must be less than or equal to {name} limit of {limit}"
        return [invalid(f"{field}.requests", request, why)]
    return []


def _claim_causes(field: str, claims: list[Object], known: Set[str]) -> list[Cause]:
    causes: list[Cause] = []
    taken: set[str] = set()
    for position, each in enumerate(claims):
        where, name, request = f"{field}[{position}]", each.get("name", ""), each.get("request", "")
        if not name:
            causes.append(required(where))
            continue
        if request:
            causes += invalids(f"{where}.request", request, label_errors(request))
        key = f"{name}/{request}" if request else name
        if name in taken or key in taken:
            causes.append(duplicate(where, name if name in taken else key))
        elif not request and any(other.startswith(f"{name}/") for other in taken):
            causes.append(duplicate(where, name))
        taken.add(key)
        if name not in known:
            listed = f": {', '.join(sorted(known))}" if known else " which is empty"
            why = f"must be one of the names in pod.spec.resourceClaims{listed}"
            causes.append(not_found(where, name, why))
    return causes
