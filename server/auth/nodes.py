"""What a node's agent may do: read what its pods need, and write about itself and its pods.

Which pods are the node's own is known only from the stored objects; admission's NodeRestriction checks that.
"""

from server.auth.attributes import Attributes
from server.auth.identities import node_name

_READ = frozenset({"get", "list", "watch"})
_WRITE = frozenset({"update", "patch"})
_LEASE_NAMESPACE = "kube-node-lease"

_Rule = tuple[str, str]

_READABLE: frozenset[_Rule] = frozenset(
    {
        ("", "configmaps"),
        ("", "endpoints"),
        ("", "nodes"),
        ("", "persistentvolumeclaims"),
        ("", "persistentvolumes"),
        ("", "secrets"),
        ("", "services"),
        ("discovery.k8s.io", "endpointslices"),
        ("node.k8s.io", "runtimeclasses"),
        ("certificates.k8s.io", "certificatesigningrequests"),
        ("storage.k8s.io", "csidrivers"),
        ("storage.k8s.io", "csinodes"),
        ("storage.k8s.io", "volumeattachments"),
    }
)
_CREATABLE: frozenset[tuple[str, str, str]] = frozenset(
    {
        ("", "nodes", ""),
        ("", "pods", ""),
        ("", "pods", "eviction"),
        ("", "serviceaccounts", "token"),
        ("authentication.k8s.io", "tokenreviews", ""),
        ("authorization.k8s.io", "subjectaccessreviews", ""),
        ("authorization.k8s.io", "localsubjectaccessreviews", ""),
        ("certificates.k8s.io", "certificatesigningrequests", ""),
    }
)


class NodeAuthorizer:
    """Decides for members of system:nodes that are named system:node:NAME; has no opinion on anyone else."""

    def allows(self, request: Attributes) -> bool:
        node = node_name(request.user)
        if not node or not request.is_resource:
            return False
        return (
            _reads(request)
            or _creates(request)
            or _writes_own_node(request, node)
            or _handles_pods(request, node)
            or _records_events(request)
            or _renews_lease(request, node)
        )


def _reads(request: Attributes) -> bool:
    return (
        request.verb in _READ and not request.subresource and (request.group, request.resource) in _READABLE
    )


def _creates(request: Attributes) -> bool:
    return request.verb == "create" and (request.group, request.resource, request.subresource) in _CREATABLE


def _writes_own_node(request: Attributes, node: str) -> bool:
    own = request.group == "" and request.resource == "nodes" and request.name == node
    return own and (
        (request.verb in _WRITE and request.subresource in ("", "status"))
        or (request.verb == "delete" and not request.subresource)
    )


def _handles_pods(request: Attributes, node: str) -> bool:
    if (request.group, request.resource) != ("", "pods"):
        return False
    if request.subresource == "status":
        return request.verb in _WRITE | {"get"}
    if request.subresource:
        return False
    if request.verb in ("list", "watch"):
        return f"spec.nodeName={node}" in request.field_selector.split(",") or bool(request.name)
    return request.verb in ("get", "delete")


def _records_events(request: Attributes) -> bool:
    groups = ("", "events.k8s.io")
    return request.group in groups and request.resource == "events" and request.verb in _WRITE | {"create"}


def _renews_lease(request: Attributes, node: str) -> bool:
    if (request.group, request.resource) != ("coordination.k8s.io", "leases") or request.subresource:
        return False
    if request.namespace != _LEASE_NAMESPACE:
        return False
    return request.verb == "create" or (request.verb in _WRITE | {"get", "delete"} and request.name == node)
