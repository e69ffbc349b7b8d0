"""LimitRanger: what a namespace's LimitRanges say of the size of its containers, pods and claims.

Containers get the default requests and limits that they lack; what is too small, too large or too far apart
is refused. An update is held only to what it changes.
"""

from collections.abc import Callable, Iterable, Iterator

from kubeling.objects import meta, pod_resources, quantity
from kubeling.objects.errors import GroupResource, forbidden
from kubeling.objects.meta import Object
from kubeling.objects.resource_list import ResourceList
from server.admission.chain import Listed, Plugin
from server.registry.admission import Attributes
from server.registry.kind import Kind

ANNOTATION = "kubernetes.io/limit-ranger"
_PODS, _CLAIMS = GroupResource("", "pods"), GroupResource("", "persistentvolumeclaims")
_Sizes = tuple[ResourceList, ResourceList]
"""Requests and limits."""
_NONE: _Sizes = ({}, {})


class LimitRanger(Plugin):
    def __init__(self, objects: Listed) -> None:
        self._objects = objects

    def concerns(self, kind: Kind, operation: str, subresource: str) -> bool:
        if kind.resource == _PODS:
            return (operation, subresource) in (("CREATE", ""), ("UPDATE", "resize"))
        return kind.resource == _CLAIMS and operation in ("CREATE", "UPDATE") and not subresource

    def mutate(self, attributes: Attributes) -> None:
        """Give containers their defaults."""
        if attributes.kind.resource != _PODS or attributes.obj is None:
            return
        for limits in self._limits(attributes):
            _give_defaults(attributes.obj, limits)

    def validate(self, attributes: Attributes) -> None:
        """
        Raises:
            Forbidden: a LimitRange does not allow it.
        """
        if attributes.obj is None:
            return
        violated = _claim_violations if attributes.kind.resource == _CLAIMS else _pod_violations
        for limits in self._limits(attributes):
            found = dict.fromkeys(violated(limits, attributes.obj, attributes.old))
            if found:
                why = next(iter(found)) if len(found) == 1 else f"[{', '.join(found)}]"
                raise forbidden(attributes.kind.resource, attributes.name, why)

    def _limits(self, attributes: Attributes) -> Iterator[list[Object]]:
        """Of each LimitRange of the namespace, what it limits."""
        if attributes.old is not None and meta.is_terminating(attributes.old):
            return
        for record in self._objects.list("limitranges", attributes.namespace):
            yield (record.obj.get("spec") or {}).get("limits") or []


def _give_defaults(pod: Object, limits: Iterable[Object]) -> None:
    given: dict[str, dict[str, str]] = {"requests": {}, "limits": {}}
    for item in limits:
        if item.get("type") == "Container":
            given["requests"] |= item.get("defaultRequest") or {}
            given["limits"] |= item.get("default") or {}
    told = [
        text
        for field, noun in (("containers", "container"), ("initContainers", "init container"))
        for container in pod["spec"].get(field) or ()
        for text in _complete(container, given, noun)
    ]
    if told:
        annotations = dict(meta.annotations(pod))
        annotations[ANNOTATION] = f"LimitRanger plugin set: {'; '.join(told)}"
        pod["metadata"]["annotations"] = annotations


def _complete(container: Object, given: dict[str, dict[str, str]], noun: str) -> Iterator[str]:
    """Set what the container lacks, and say so. What is replaced is not changed: others may hold it."""
    resources = dict(container.get("resources") or {})
    for which, singular in (("requests", "request"), ("limits", "limit")):
        own = resources.get(which) or {}
        lacking = sorted(set(given[which]) - set(own))
        if lacking:
            resources[which] = {**own, **{name: given[which][name] for name in lacking}}
            container["resources"] = resources
            yield f"{', '.join(lacking)} {singular} for {noun} {container['name']}"


def _pod_violations(limits: Iterable[Object], pod: Object, old: Object | None) -> Iterator[str]:
    for item in limits:
        if item.get("type") == "Container":
            yield from _container_violations(item, pod["spec"], (old or {}).get("spec") or {})
        elif item.get("type") == "Pod":
            yield from _violations(item, _whole(pod), _whole(old) if old is not None else None)


def _container_violations(item: Object, spec: Object, before: Object) -> Iterator[str]:
    for field in ("containers", "initContainers"):
        known = {each["name"]: each for each in before.get(field) or ()}
        for container in spec.get(field) or ():
            old = known.get(container["name"])
            yield from _violations(item, _sizes(container), _sizes(old) if old is not None else None)


def _claim_violations(limits: Iterable[Object], claim: Object, old: Object | None) -> Iterator[str]:
    """Claims have requests only."""
    requests, _ = _sizes(claim["spec"])
    before, _ = _sizes(old["spec"]) if old is not None else _NONE
    for item in (each for each in limits if each.get("type") == "PersistentVolumeClaim"):
        for check, name, bound in _bounds(item, ((_too_small, "min"), (_requests_too_much, "max"))):
            if name in before and _alike(requests.get(name), before[name]):
                continue
            if why := check(name, bound, (requests, {}), str(item["type"])):
                yield why


def _violations(item: Object, sizes: _Sizes, old: _Sizes | None) -> Iterator[str]:
    checks = ((_too_small, "min"), (_too_large, "max"), (_too_far_apart, "maxLimitRequestRatio"))
    for check, name, bound in _bounds(item, checks):
        if old is not None and all(
            _alike(new.get(name), was.get(name)) for new, was in zip(sizes, old, strict=True)
        ):
            continue
        if why := check(name, bound, sizes, str(item["type"])):
            yield why


def _bounds(item: Object, checks: Iterable[tuple["_Check", str]]) -> Iterator[tuple["_Check", str, str]]:
    """Each bound that the item has in the field of a check."""
    for check, field in checks:
        for name, bound in sorted((item.get(field) or {}).items()):
            yield check, name, bound


def _sizes(holder: Object) -> _Sizes:
    resources = holder.get("resources") or {}
    return resources.get("requests") or {}, resources.get("limits") or {}


def _whole(pod: Object) -> _Sizes:
    spec = pod["spec"]
    return pod_resources.specified(spec, "requests"), pod_resources.specified(spec, "limits")


def _alike(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return one is other
    return quantity.parse(one) == quantity.parse(other)


_Check = Callable[[str, str, _Sizes, str], str]


def _too_small(name: str, bound: str, sizes: _Sizes, kind: str) -> str:
    request, limit = sizes[0].get(name), sizes[1].get(name)
    told = f"minimum {name} usage per {kind} is {quantity.canonical(bound)}"
    if request is None:
        return f"{told}.  No request is specified"
    if _less(request, bound):
        return f"{told}, but request is {quantity.canonical(request)}"
    if limit is not None and _less(limit, bound):
        return f"{told}, but limit is {quantity.canonical(limit)}"
    return ""


def _too_large(name: str, bound: str, sizes: _Sizes, kind: str) -> str:
    request, limit = sizes[0].get(name), sizes[1].get(name)
    told = f"maximum {name} usage per {kind} is {quantity.canonical(bound)}"
    if limit is None:
        return f"{told}.  No limit is specified"
    if _less(bound, limit):
        return f"{told}, but limit is {quantity.canonical(limit)}"
    if request is not None and _less(bound, request):
        return f"{told}, but request is {quantity.canonical(request)}"
    return ""


def _requests_too_much(name: str, bound: str, sizes: _Sizes, kind: str) -> str:
    request = sizes[0].get(name)
    told = f"maximum {name} usage per {kind} is {quantity.canonical(bound)}"
    if request is None:
        return f"{told}.  No request is specified"
    return f"{told}, but request is {quantity.canonical(request)}" if _less(bound, request) else ""


def _too_far_apart(name: str, bound: str, sizes: _Sizes, kind: str) -> str:
    request, limit = (quantity.parse(each.get(name, "0")) for each in sizes)
    told = f"{name} max limit to request ratio per {kind} is {quantity.canonical(bound)}"
    if not request:
        return f"{told}, but no request is specified or request is 0"
    if not limit:
        return f"{told}, but no limit is specified or limit is 0"
    if limit > request * quantity.parse(bound):
        return f"{told}, but provided ratio is {float(limit) / float(request):f}"
    return ""


def _less(one: str, other: str) -> bool:
    return quantity.parse(one) < quantity.parse(other)
