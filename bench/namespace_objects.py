"""Twenty kinds of objects for a namespace, as small as they can be and do nothing by themselves.

Not here: what is measured with them.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

_POD = {"containers": [{"name": "c", "image": "i", "resources": {}}]}
_LABELS = {"app": "bench"}
_TEMPLATE = {"metadata": {"labels": _LABELS}, "spec": _POD}
_JOB = {"suspend": True, "template": {"spec": {**_POD, "restartPolicy": "Never"}}}
_SET = {"replicas": 0, "selector": {"matchLabels": _LABELS}, "template": _TEMPLATE}
_REFERENCE = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
_CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
_ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}


class Sample(NamedTuple):
    api: str
    """`v1`, `apps/v1`"""
    kind: str
    plural: str
    content: dict[str, Any]


SAMPLES = (
    Sample("v1", "ConfigMap", "configmaps", {"data": {"a": "b"}}),
    Sample("v1", "Secret", "secrets", {"stringData": {"a": "b"}}),
    Sample("v1", "ServiceAccount", "serviceaccounts", {}),
    Sample("v1", "Service", "services", {"spec": {"ports": [{"port": 80}], "selector": _LABELS}}),
    Sample("v1", "PersistentVolumeClaim", "persistentvolumeclaims", {"spec": _CLAIM}),
    Sample("v1", "Pod", "pods", {"spec": {**_POD, "schedulingGates": [{"name": "bench/none"}]}}),
    Sample("v1", "PodTemplate", "podtemplates", {"template": _TEMPLATE}),
    Sample("v1", "LimitRange", "limitranges", {"spec": {"limits": []}}),
    Sample("v1", "Endpoints", "endpoints", {}),
    Sample("apps/v1", "Deployment", "deployments", {"spec": _SET}),
    Sample("apps/v1", "StatefulSet", "statefulsets", {"spec": {"serviceName": "s", **_SET}}),
    Sample("apps/v1", "ControllerRevision", "controllerrevisions", {"revision": 1, "data": {}}),
    Sample("batch/v1", "Job", "jobs", {"spec": _JOB}),
    Sample(
        "batch/v1",
        "CronJob",
        "cronjobs",
        {"spec": {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": _JOB}}},
    ),
    Sample(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        {"spec": {"maxReplicas": 1, "scaleTargetRef": _REFERENCE}},
    ),
    Sample("coordination.k8s.io/v1", "Lease", "leases", {"spec": {"holderIdentity": "bench"}}),
    Sample("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", {"spec": {"podSelector": {}}}),
    Sample(
        "policy/v1",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        {"spec": {"minAvailable": 1, "selector": {"matchLabels": _LABELS}}},
    ),
    Sample("rbac.authorization.k8s.io/v1", "Role", "roles", {"rules": []}),
    Sample("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", {"roleRef": _ROLE}),
)


def objects(namespace: str, count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """`count` objects, as many of each kind: with each the path that it is posted to."""
    for number in range(count):
        sample = SAMPLES[number % len(SAMPLES)]
        root = f"/apis/{sample.api}" if "/" in sample.api else f"/api/{sample.api}"
        own = {"name": f"o{number}", "namespace": namespace}
        body = {"apiVersion": sample.api, "kind": sample.kind, "metadata": own, **sample.content}
        yield f"{root}/namespaces/{namespace}/{sample.plural}", body
