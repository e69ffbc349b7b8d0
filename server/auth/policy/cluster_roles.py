"""The ClusterRoles for people and components, and who is bound to them; those of controllers are apart.

The content is v1.37's with its default feature gates.
"""

from server.auth.policy.rule_text import ALL, EVENTS, READ, READ_AND_UPDATE, WRITE

_HEALTH = "/livez /readyz /healthz"
_WORKLOADS = (
    "daemonsets deployments deployments/scale replicasets replicasets/scale statefulsets statefulsets/scale"
)
_OLD_WORKLOADS = (
    "daemonsets deployments deployments/scale ingresses networkpolicies replicasets replicasets/scale"
    " replicationcontrollers/scale"
)
_SIGNER = "approve : certificates.k8s.io : signers : kubernetes.io"
_REVIEW_TOKENS = "create : authentication.k8s.io : tokenreviews"
_REVIEW_ACCESS = "create : authorization.k8s.io : subjectaccessreviews"

VIEW = (
    f"{READ} : core : pods replicationcontrollers replicationcontrollers/scale serviceaccounts services"
    " services/status endpoints persistentvolumeclaims persistentvolumeclaims/status configmaps",
    f"{READ} : core : limitranges resourcequotas bindings pods/status resourcequotas/status namespaces/status"
    " replicationcontrollers/status pods/log",
    f"{READ} : core : namespaces",
    f"{READ} : core events.k8s.io : events",
    f"{READ} : discovery.k8s.io : endpointslices",
    f"{READ} : apps : controllerrevisions {_WORKLOADS} daemonsets/status deployments/status"
    " replicasets/status statefulsets/status",
    f"{READ} : autoscaling : horizontalpodautoscalers horizontalpodautoscalers/status",
    f"{READ} : batch : jobs cronjobs cronjobs/status jobs/status",
    f"{READ} : extensions : {_OLD_WORKLOADS} daemonsets/status deployments/status ingresses/status"
    " replicasets/status",
    f"{READ} : policy : poddisruptionbudgets poddisruptionbudgets/status",
    f"{READ} : networking.k8s.io : networkpolicies ingresses ingresses/status",
    f"{READ} : resource.k8s.io : resourceclaims resourceclaims/status resourceclaimtemplates",
)

EDIT = (
    f"{READ} : core : pods/attach pods/proxy pods/exec pods/portforward secrets services/proxy",
    "impersonate : core : serviceaccounts",
    f"{WRITE} : core : pods pods/attach pods/proxy pods/exec pods/portforward",
    "create : core : pods/eviction",
    f"{WRITE} : core : replicationcontrollers replicationcontrollers/scale serviceaccounts services"
    " services/proxy persistentvolumeclaims configmaps secrets",
    "create : core : serviceaccounts/token",
    f"{WRITE} : core events.k8s.io : events",
    f"{WRITE} : apps : {_WORKLOADS} deployments/rollback",
    f"{WRITE} : autoscaling : horizontalpodautoscalers",
    f"{WRITE} : batch : jobs cronjobs",
    f"{WRITE} : extensions : {_OLD_WORKLOADS} deployments/rollback",
    f"{WRITE} : policy : poddisruptionbudgets",
    f"{WRITE} : networking.k8s.io : networkpolicies ingresses",
    f"{ALL} : coordination.k8s.io : leases",
    f"{WRITE} : resource.k8s.io : resourceclaims resourceclaimtemplates",
)

NODE = (
    _REVIEW_TOKENS,
    "create : authorization.k8s.io : subjectaccessreviews localsubjectaccessreviews",
    f"{READ} : core : services",
    "create get list watch : core : nodes",
    "update patch : core : nodes/status",
    "update patch : core : nodes",
    EVENTS,
    f"{READ} : core : pods",
    "create delete : core : pods",
    "update patch : core : pods/status",
    "create : core : pods/eviction",
    f"{READ} : core : secrets configmaps",
    "get : core : persistentvolumeclaims persistentvolumes",
    "get : core : endpoints",
    "create get list watch : certificates.k8s.io : certificatesigningrequests",
    "get create update patch delete : coordination.k8s.io : leases",
    "get : storage.k8s.io : volumeattachments",
    "create : core : serviceaccounts/token",
    "get update patch : core : persistentvolumeclaims/status",
    f"{READ} : storage.k8s.io : csidrivers",
    "get create update patch delete : storage.k8s.io : csinodes",
    f"{READ} : node.k8s.io : runtimeclasses",
    "get : resource.k8s.io : resourceclaims",
    "deletecollection : resource.k8s.io : resourceslices",
    f"{READ} : certificates.k8s.io : clustertrustbundles",
    "get : core : serviceaccounts",
    "get list watch create : certificates.k8s.io : podcertificaterequests",
)

_CONTROLLER_MANAGER = (
    EVENTS,
    "create : coordination.k8s.io : leases",
    "get update : coordination.k8s.io : leases : kube-controller-manager",
    "create : core : secrets serviceaccounts",
    "delete : core : secrets",
    "get : core : namespaces secrets serviceaccounts configmaps",
    "update : core : secrets serviceaccounts",
    _REVIEW_TOKENS,
    _REVIEW_ACCESS,
    "list watch : * : *",
    "create : core : serviceaccounts/token",
)

_SCHEDULER = (
    EVENTS,
    "create : coordination.k8s.io : leases",
    "get update list watch : coordination.k8s.io : leases : kube-scheduler",
    f"{ALL} : coordination.k8s.io : leasecandidates",
    f"{READ} : core : nodes",
    f"{READ} delete : core : pods",
    "create : core : pods/binding bindings",
    "patch update : core : pods/status",
    f"{READ} : core : services replicationcontrollers",
    f"{READ} : apps extensions : replicasets",
    f"{READ} : apps : statefulsets",
    f"{READ} : policy : poddisruptionbudgets",
    f"{READ} : core : persistentvolumeclaims persistentvolumes",
    _REVIEW_TOKENS,
    _REVIEW_ACCESS,
    f"{READ} : storage.k8s.io : csinodes",
    f"{READ} : storage.k8s.io : volumeattachments",
    f"{READ} : core : namespaces",
    f"{READ} : storage.k8s.io : csidrivers",
    f"{READ} : storage.k8s.io : csistoragecapacities",
    f"{READ} : resource.k8s.io : deviceclasses",
    f"{READ_AND_UPDATE} : resource.k8s.io : resourceclaims",
    f"{READ_AND_UPDATE} : resource.k8s.io : resourceclaims/status",
    "update : core : pods/finalizers",
    f"{READ} : resource.k8s.io : resourceslices",
    "create delete : resource.k8s.io : resourceclaims",
    f"{READ} : resource.k8s.io : devicetaintrules",
    "update patch : resource.k8s.io : resourceclaims/binding",
)

CLUSTER_ROLES: dict[str, tuple[str, ...]] = {
    "cluster-admin": ("* : * : *", "* : *"),
    "system:discovery": (
        f"get : {_HEALTH} /version /version/ /openapi /openapi/* /api /api/* /apis /apis/*",
    ),
    "system:monitoring": (
        f"get : /metrics /metrics/slis {_HEALTH} /livez/* /readyz/* /healthz/* /flagz /statusz",
        "get : core : nodes/metrics",
    ),
    "system:basic-user": (
        "create : authorization.k8s.io : selfsubjectaccessreviews selfsubjectrulesreviews",
        "create : authentication.k8s.io : selfsubjectreviews",
    ),
    "system:public-info-viewer": (f"get : {_HEALTH} /version /version/",),
    "system:aggregate-to-admin": (
        "create : authorization.k8s.io : localsubjectaccessreviews",
        f"{ALL} : rbac.authorization.k8s.io : roles rolebindings",
    ),
    "system:aggregate-to-edit": EDIT,
    "system:aggregate-to-view": VIEW,
    "system:heapster": (
        f"{READ} : core : events pods nodes namespaces",
        f"{READ} : extensions : deployments",
    ),
    "system:node": NODE,
    "system:node-problem-detector": ("get : core : nodes", "patch : core : nodes/status", EVENTS),
    "system:node-bootstrapper": ("create get list watch : certificates.k8s.io : certificatesigningrequests",),
    "system:auth-delegator": (_REVIEW_TOKENS, _REVIEW_ACCESS),
    "system:kube-aggregator": (f"{READ} : core : services endpoints",),
    "system:kube-controller-manager": _CONTROLLER_MANAGER,
    "system:kube-dns": ("list watch : core : endpoints services",),
    "system:persistent-volume-provisioner": (
        f"{READ} create delete : core : persistentvolumes",
        f"{READ} update : core : persistentvolumeclaims",
        f"{READ} : storage.k8s.io : storageclasses",
        "watch : core : events",
        EVENTS,
    ),
    "system:certificates.k8s.io:certificatesigningrequests:nodeclient": (
        "create : certificates.k8s.io : certificatesigningrequests/nodeclient",
    ),
    "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient": (
        "create : certificates.k8s.io : certificatesigningrequests/selfnodeclient",
    ),
    "system:volume-scheduler": (
        f"{READ_AND_UPDATE} : core : persistentvolumes",
        f"{READ} : storage.k8s.io : storageclasses",
        f"{READ_AND_UPDATE} : core : persistentvolumeclaims",
    ),
    "system:certificates.k8s.io:legacy-unknown-approver": (f"{_SIGNER}/legacy-unknown",),
    "system:certificates.k8s.io:kubelet-serving-approver": (f"{_SIGNER}/kubelet-serving",),
    "system:certificates.k8s.io:kube-apiserver-client-approver": (f"{_SIGNER}/kube-apiserver-client",),
    "system:certificates.k8s.io:kube-apiserver-client-kubelet-approver": (
        f"{_SIGNER}/kube-apiserver-client-kubelet",
    ),
    "system:service-account-issuer-discovery": (
        "get : /.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks"
        " /openid/v1/jwks/",
    ),
    "system:kubelet-api-admin": (
        f"{READ} : core : nodes",
        "proxy : core : nodes",
        "* : core : nodes/proxy nodes/metrics nodes/stats nodes/log",
        "* : core : nodes/pods nodes/healthz nodes/configz",
    ),
    "system:node-proxier": (
        "list watch : core : services endpoints",
        f"{READ} : core : nodes",
        EVENTS,
        "list watch : networking.k8s.io : servicecidrs",
        "list watch : discovery.k8s.io : endpointslices",
    ),
    "system:kube-scheduler": _SCHEDULER,
    "system:cluster-trust-bundle-discovery": (f"{READ} : certificates.k8s.io : clustertrustbundles",),
    "system:aggregated-metrics-reader": (f"{READ} : metrics.k8s.io : pods nodes",),
}

AGGREGATED = ("admin", "edit", "view")
"""Roles whose rules are collected from the roles that carry the label `aggregate-to-NAME`."""

AGGREGATE_TO = {
    "edit": "admin",
    "view": "edit",
    "system:aggregate-to-admin": "admin",
    "system:aggregate-to-edit": "edit",
    "system:aggregate-to-view": "view",
    "system:aggregated-metrics-reader": "view",
}
"""Which role collects which."""

BINDINGS: dict[str, tuple[str, ...]] = {
    "cluster-admin": ("Group system:masters",),
    "system:monitoring": ("Group system:monitoring",),
    "system:discovery": ("Group system:authenticated",),
    "system:basic-user": ("Group system:authenticated",),
    "system:public-info-viewer": ("Group system:authenticated", "Group system:unauthenticated"),
    "system:node-proxier": ("User system:kube-proxy",),
    "system:kube-controller-manager": ("User system:kube-controller-manager",),
    "system:kube-dns": ("ServiceAccount kube-system/kube-dns",),
    "system:kube-scheduler": ("User system:kube-scheduler",),
    "system:volume-scheduler": ("User system:kube-scheduler",),
    "system:node": (),
    "system:service-account-issuer-discovery": ("Group system:serviceaccounts",),
    "system:cluster-trust-bundle-discovery": ("Group system:serviceaccounts",),
}
"""ClusterRoleBindings, by the name that they share with their role. Nodes are the node authorizer's."""
