"""Registration of the core group's kinds, in the order of discovery."""

from server.registry.groups.core.component_status import ComponentStatuses
from server.registry.groups.core.config_map import ConfigMaps
from server.registry.groups.core.endpoints import EndpointsKind
from server.registry.groups.core.event import Events
from server.registry.groups.core.namespace import Namespaces
from server.registry.groups.core.node import Nodes
from server.registry.groups.core.persistent_volume import PersistentVolumes
from server.registry.groups.core.pod import Pods
from server.registry.groups.core.quota import LimitRanges, ResourceQuotas
from server.registry.groups.core.replication_controller import PodTemplates, ReplicationControllers
from server.registry.groups.core.secret import Secrets
from server.registry.groups.core.service import Services
from server.registry.groups.core.service_account import ServiceAccounts
from server.registry.groups.core.volume_claim import PersistentVolumeClaims
from server.registry.groups.subresources import PROXY_VERBS, scale_and_status, status
from server.registry.kind import ALL_VERBS, Kind, Subresource
from server.registry.strategy import Strategy

_STREAM = ("create", "get")
_POD_SUBRESOURCES = {
    "attach": Subresource("PodAttachOptions", _STREAM),
    "binding": Subresource("Binding", ("create",)),
    "ephemeralcontainers": Subresource("Pod", ("get", "patch", "update")),
    "eviction": Subresource("Eviction", ("create",), group="policy", version="v1", older=("v1beta1",)),
    "exec": Subresource("PodExecOptions", _STREAM),
    "log": Subresource("Pod", ("get",)),
    "portforward": Subresource("PodPortForwardOptions", _STREAM),
    "proxy": Subresource("PodProxyOptions", PROXY_VERBS),
    "resize": Subresource("Pod", ("get", "patch", "update")),
    **status("Pod"),
}
_NAMESPACE_VERBS = tuple(verb for verb in ALL_VERBS if verb != "deletecollection")

EVENTS = Kind("", "Event", "events", Events(), short_names=("ev",))
PODS = Kind(
    "", "Pod", "pods", Pods(), short_names=("po",), categories=("all",), subresources=_POD_SUBRESOURCES
)

RESOURCE_QUOTAS = Kind(
    "",
    "ResourceQuota",
    "resourcequotas",
    ResourceQuotas(),
    short_names=("quota",),
    subresources=status("ResourceQuota"),
)

KINDS = (
    Kind("", "Binding", "bindings", Strategy(), verbs=("create",), posted_to=(PODS, "binding")),
    Kind(
        "",
        "ComponentStatus",
        "componentstatuses",
        ComponentStatuses(),
        namespaced=False,
        short_names=("cs",),
        verbs=("get", "list"),
        computed=True,
        deprecations={"v1": "v1 ComponentStatus is deprecated in v1.19+"},
    ),
    Kind("", "ConfigMap", "configmaps", ConfigMaps(), short_names=("cm",)),
    Kind(
        "",
        "Endpoints",
        "endpoints",
        EndpointsKind(),
        short_names=("ep",),
        deprecations={
            "v1": "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice",
        },
    ),
    EVENTS,
    Kind("", "LimitRange", "limitranges", LimitRanges(), short_names=("limits",)),
    Kind(
        "",
        "Namespace",
        "namespaces",
        Namespaces(),
        namespaced=False,
        short_names=("ns",),
        verbs=_NAMESPACE_VERBS,
        subresources={"finalize": Subresource("Namespace", ("update",)), **status("Namespace")},
    ),
    Kind(
        "",
        "Node",
        "nodes",
        Nodes(),
        namespaced=False,
        short_names=("no",),
        subresources={"proxy": Subresource("NodeProxyOptions", PROXY_VERBS), **status("Node")},
    ),
    Kind(
        "",
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        PersistentVolumeClaims(),
        short_names=("pvc",),
        subresources=status("PersistentVolumeClaim"),
    ),
    Kind(
        "",
        "PersistentVolume",
        "persistentvolumes",
        PersistentVolumes(),
        namespaced=False,
        short_names=("pv",),
        subresources=status("PersistentVolume"),
    ),
    PODS,
    Kind("", "PodTemplate", "podtemplates", PodTemplates()),
    Kind(
        "",
        "ReplicationController",
        "replicationcontrollers",
        ReplicationControllers(),
        short_names=("rc",),
        categories=("all",),
        subresources=scale_and_status("ReplicationController"),
    ),
    RESOURCE_QUOTAS,
    Kind("", "Secret", "secrets", Secrets()),
    Kind(
        "",
        "ServiceAccount",
        "serviceaccounts",
        ServiceAccounts(),
        short_names=("sa",),
        subresources={
            "token": Subresource("TokenRequest", ("create",), group="authentication.k8s.io", version="v1")
        },
    ),
    Kind(
        "",
        "Service",
        "services",
        Services(),
        short_names=("svc",),
        categories=("all",),
        subresources={
            "proxy": Subresource("ServiceProxyOptions", PROXY_VERBS),
            **status("Service"),
        },
    ),
)
