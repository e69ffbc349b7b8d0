"""What is strange in Services without being wrong: texts for `Warning` headers."""

from collections.abc import Iterator

from kubeling.objects.meta import Object, annotations
from server.registry.groups.ip_warnings import each_cidr_warnings, ip_warnings

_HINTS = "service.kubernetes.io/topology-aware-hints"
_MODE = "service.kubernetes.io/topology-mode"


def service_warnings(obj: Object) -> Iterator[str]:
    spec = obj["spec"]
    if _HINTS in annotations(obj):
        yield f"annotation {_HINTS} is deprecated, please use {_MODE} instead"
    ips = spec.get("clusterIPs") or []
    for position, each in enumerate(ips if ips != ["None"] else ()):
        yield from ip_warnings(f"spec.clusterIPs[{position}]", each)
    for position, each in enumerate(spec.get("externalIPs") or ()):
        yield from ip_warnings(f"spec.externalIPs[{position}]", each)
    if given := spec.get("loadBalancerIP"):
        yield from ip_warnings("spec.loadBalancerIP", given)
    ranges = (each.strip() for each in spec.get("loadBalancerSourceRanges") or ())
    yield from each_cidr_warnings("spec.loadBalancerSourceRanges", ranges)
    if ips == ["None"]:
        for name in ("loadBalancerIP", "externalIPs"):
            if spec.get(name):
                yield f"spec.{name} is ignored for headless services"
        if spec.get("sessionAffinity") != "None":
            yield "spec.SessionAffinity is ignored for headless services"
    if spec.get("type") == "ExternalName" and spec.get("externalIPs"):
        yield 'spec.externalIPs is ignored when spec.type is "ExternalName"'
    if spec.get("type") != "ExternalName" and spec.get("externalName"):
        yield 'spec.externalName is ignored when spec.type is not "ExternalName"'
