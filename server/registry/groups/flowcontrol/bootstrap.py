"""Flow schemas and priority levels that every cluster has: the mandatory and the suggested ones.

Nothing is queued by them. Mandatory ones cannot be changed, suggested ones can.
"""

from collections.abc import Mapping, Sequence

from kubeling.objects.meta import Object

_API = "flowcontrol.apiserver.k8s.io/v1"
AUTOUPDATE = "apf.kubernetes.io/autoupdate-spec"
"""The annotation of objects whose spec the server keeps as it should be."""
_ANNOTATIONS = {AUTOUPDATE: "true"}
_ALL = ["*"]
_ALL_RESOURCES = {
    "verbs": _ALL,
    "apiGroups": _ALL,
    "resources": _ALL,
    "clusterScope": True,
    "namespaces": _ALL,
}
_ALL_URLS = {"verbs": _ALL, "nonResourceURLs": _ALL}
_EVERYTHING = ((_ALL_RESOURCES,), (_ALL_URLS,))
_EVERYBODY = ("system:unauthenticated", "system:authenticated")
_MANAGER, _SCHEDULER = "system:kube-controller-manager", "system:kube-scheduler"


def _group(*names: str) -> list[Object]:
    return [{"kind": "Group", "group": {"name": name}} for name in names]


def _user(*names: str) -> list[Object]:
    return [{"kind": "User", "user": {"name": name}} for name in names]


def _account(*names: str) -> list[Object]:
    return [
        {"kind": "ServiceAccount", "serviceAccount": {"namespace": "kube-system", "name": name}}
        for name in names
    ]


def _rule(verbs: Sequence[str], group: str, resources: Sequence[str], *, cluster: bool = False) -> Object:
    rule: Object = {"verbs": list(verbs), "apiGroups": [group], "resources": list(resources)}
    if cluster:
        rule["clusterScope"] = True
    return {**rule, "namespaces": _ALL}


def _object(kind: str, name: str, spec: Object) -> Object:
    metadata = {"name": name, "annotations": dict(_ANNOTATIONS)}
    return {"apiVersion": _API, "kind": kind, "metadata": metadata, "spec": spec}


def _schema(
    name: str,
    level: str,
    precedence: int,
    method: str,
    subjects: list[Object],
    rules: tuple[Sequence[Object], Sequence[Object]] = _EVERYTHING,
) -> Object:
    """`rules` are those for resources and those for other URLs."""
    rule: Object = {"subjects": subjects}
    rule |= {
        key: list(found)
        for key, found in zip(("resourceRules", "nonResourceRules"), rules, strict=True)
        if found
    }
    spec: Object = {
        "priorityLevelConfiguration": {"name": level},
        "matchingPrecedence": precedence,
        "rules": [rule],
    }
    if method:
        spec["distinguisherMethod"] = {"type": method}
    return _object("FlowSchema", name, spec)


def _level(name: str, *, shares: int, lendable: int, queues: tuple[int, int, int] | None) -> Object:
    """`queues`: their number, the hand's size, the length limit; none rejects at once."""
    response: Object = {"type": "Reject"}
    if queues:
        queuing = dict(zip(("queues", "handSize", "queueLengthLimit"), queues, strict=True))
        response = {"type": "Queue", "queuing": queuing}
    limited = {"nominalConcurrencyShares": shares, "limitResponse": response, "lendablePercent": lendable}
    return _object("PriorityLevelConfiguration", name, {"type": "Limited", "limited": limited})


def _is_mandatory(obj: Object) -> bool:
    return obj["metadata"]["name"] in ("exempt", "catch-all")


_EXEMPT = _object(
    "PriorityLevelConfiguration",
    "exempt",
    {"type": "Exempt", "exempt": {"nominalConcurrencyShares": 0, "lendablePercent": 0}},
)
LEVELS: Sequence[Object] = (
    _EXEMPT,
    _level("catch-all", shares=5, lendable=0, queues=None),
    _level("system", shares=30, lendable=33, queues=(64, 6, 50)),
    _level("node-high", shares=40, lendable=25, queues=(64, 6, 50)),
    _level("leader-election", shares=10, lendable=0, queues=(16, 4, 50)),
    _level("workload-high", shares=40, lendable=50, queues=(128, 6, 50)),
    _level("workload-low", shares=100, lendable=90, queues=(128, 6, 50)),
    _level("global-default", shares=20, lendable=50, queues=(128, 6, 50)),
)

_WRITES = ("get", "create", "update")
_LEASES = ((_rule(_WRITES, "coordination.k8s.io", ["leases"]),), ())
_ENDPOINTS = ((_rule(_WRITES, "", ["endpoints"]),), ())
_NODES = (
    (
        _rule(_ALL, "", ["nodes", "nodes/status"], cluster=True),
        _rule(_ALL, "coordination.k8s.io", ["leases"]),
    ),
    (),
)
_PROBES = ((), ({"verbs": ["get"], "nonResourceURLs": ["/healthz", "/readyz", "/livez"]},))
_ENDPOINT_CONTROLLERS = ("endpoint-controller", "endpointslicemirroring-controller")
_BY_USER, _BY_NAMESPACE = "ByUser", "ByNamespace"

SCHEMAS: Sequence[Object] = (
    _schema("exempt", "exempt", 1, "", _group("system:masters")),
    _schema("catch-all", "catch-all", 10000, _BY_USER, _group(*_EVERYBODY)),
    _schema("system-nodes", "system", 500, _BY_USER, _group("system:nodes")),
    _schema("system-node-high", "node-high", 400, _BY_USER, _group("system:nodes"), _NODES),
    _schema("probes", "exempt", 2, "", _group(*_EVERYBODY), _PROBES),
    _schema(
        "system-leader-election",
        "leader-election",
        100,
        _BY_USER,
        [*_user(_MANAGER, _SCHEDULER), *_account("*")],
        _LEASES,
    ),
    _schema(
        "endpoint-controller",
        "workload-high",
        150,
        _BY_USER,
        [*_user(_MANAGER), *_account(*_ENDPOINT_CONTROLLERS)],
        _ENDPOINTS,
    ),
    _schema("workload-leader-election", "leader-election", 200, _BY_USER, _account("*"), _LEASES),
    _schema("kube-controller-manager", "workload-high", 800, _BY_NAMESPACE, _user(_MANAGER)),
    _schema("kube-scheduler", "workload-high", 800, _BY_NAMESPACE, _user(_SCHEDULER)),
    _schema("kube-system-service-accounts", "workload-high", 900, _BY_NAMESPACE, _account("*")),
    _schema("service-accounts", "workload-low", 9000, _BY_USER, _group("system:serviceaccounts")),
    _schema("global-default", "global-default", 9900, _BY_USER, _group(*_EVERYBODY)),
)

MANDATORY: Mapping[str, Mapping[str, Object]] = {
    kind: {each["metadata"]["name"]: each["spec"] for each in found if _is_mandatory(each)}
    for kind, found in (("FlowSchema", SCHEMAS), ("PriorityLevelConfiguration", LEVELS))
}
"""Their specs, by kind and name."""
