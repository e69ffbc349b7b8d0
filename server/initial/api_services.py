"""An APIService for each group and version that is built in, answered by this server itself."""

from collections.abc import Iterable, Mapping

from kubeling.objects.meta import Object
from server.registry.kind import Kind

_OWN_GROUP = "apiregistration.k8s.io"
_GROUPS: Mapping[str, int] = {
    "": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "admissionregistration.k8s.io": 16700,
    "apiextensions.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
    "resource.k8s.io": 15900,
    "storagemigration.k8s.io": 15800,
}
_VERSIONS = {("", "v1"): 1, ("autoscaling", "v2"): 30, ("flowcontrol.apiserver.k8s.io", "v1"): 21}
_USUAL_VERSION = 15
LABEL = "kube-aggregator.kubernetes.io/automanaged"


def api_services(kinds: Iterable[Kind]) -> list[Object]:
    """For the built-in kinds; the group of the APIServices themselves has none."""
    served = dict.fromkeys((kind.group, version) for kind in kinds for version in kind.versions)
    return [_api_service(group, version) for group, version in served if group in _GROUPS]


def _api_service(group: str, version: str) -> Object:
    spec: Object = {"group": group} if group else {}
    spec |= {
        "version": version,
        "groupPriorityMinimum": _GROUPS[group],
        "versionPriority": _VERSIONS.get((group, version), _USUAL_VERSION),
    }
    metadata = {"name": f"{version}.{group}", "labels": {LABEL: "onstart"}}
    return {
        "apiVersion": f"{_OWN_GROUP}/v1",
        "kind": "APIService",
        "metadata": metadata,
        "spec": spec,
    }
