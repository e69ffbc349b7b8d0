"""NodeRestriction: a node's agent writes about its own node, and about the pods that are bound to it."""

from collections.abc import Callable
from typing import Any, Protocol

from kubeling.objects import certificate_requests
from kubeling.objects.certificate_requests import RequestError
from kubeling.objects.errors import Forbidden, GroupResource, forbidden, not_found
from kubeling.objects.meta import Object
from server.admission.chain import Objects, Plugin
from server.admission.node_labels import forbidden_labels
from server.admission.node_pods import creation_problem, status_problem
from server.admission.node_tokens import token_problem
from server.auth.attributes import Attributes as Question
from server.auth.identities import node_name
from server.registry.admission import Attributes
from server.registry.kind import Kind

_LEASE_NAMESPACE = "kube-node-lease"
_KUBELET_SIGNERS = ("kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet")
_VOLATILE_CLAIM_STATUS = ("capacity", "conditions", "allocatedResources", "allocatedResourceStatuses")

_Check = Callable[["NodeRestriction", Attributes, str], str]
"""What is wrong with a node's write, "" when nothing is."""


class Authorization(Protocol):
    def allows(self, request: Question) -> bool: ...


class NodeRestriction(Plugin):
    def __init__(self, objects: Objects, authorization: Authorization) -> None:
        self._objects = objects
        self._authorization = authorization

    def concerns(self, kind: Kind, operation: str, subresource: str) -> bool:
        return operation != "CONNECT" and str(kind.resource) in _CHECKS

    def mutate(self, attributes: Attributes) -> None:
        """Let other users pass, and nodes in their own affairs.

        Raises:
            Forbidden: a node touches what is not its own.
            NotFound: what it names to prove its right does not exist.
        """
        node = node_name(attributes.context.user)
        if not node:
            return
        problem = _CHECKS[str(attributes.kind.resource)](self, attributes, node)
        if problem:
            raise _refused(attributes, problem)

    def _pod(self, attributes: Attributes, node: str) -> str:
        match attributes.subresource:
            case "":
                return self._whole_pod(attributes, node)
            case "status":
                return status_problem(attributes, node)
            case "eviction":
                pod = self._found("pods", attributes.namespace, attributes.name)
                own = _node_of(pod) == node
                return "" if own else f"node {node} can only evict pods with spec.nodeName set to itself"
            case other:
                return f"unexpected pod subresource \"{other}\", only 'status' and 'eviction' are allowed"

    def _whole_pod(self, attributes: Attributes, node: str) -> str:
        if attributes.operation == "CREATE":
            return creation_problem(attributes.obj or {}, node, lambda: self._found("nodes", "", node))
        if attributes.operation == "DELETE":
            own = _node_of(attributes.old or {}) == node
            return "" if own else f'node "{node}" can only delete pods with spec.nodeName set to itself'
        what = f'unexpected operation "{attributes.operation}"'
        return f'{what}, node "{node}" can only create and delete mirror pods'

    def _token(self, attributes: Attributes, node: str) -> str:
        if (attributes.operation, attributes.subresource) != ("CREATE", "token"):
            return ""
        question = Question(
            attributes.context.user,
            "request-serviceaccounts-token-audience",
            version="v1",
            namespace=attributes.namespace,
            name=attributes.name,
        )
        return token_problem(
            attributes.obj or {},
            node,
            lambda name: self._found("pods", attributes.namespace, name),
            objects=self._objects,
            granted=lambda audience: self._authorization.allows(question._replace(resource=audience)),
        )

    def _own_node(self, attributes: Attributes, node: str) -> str:
        name = _name(attributes)
        if name != node:
            return f'node "{node}" is not allowed to modify node "{name}"'
        if attributes.operation not in ("CREATE", "UPDATE"):
            return ""
        obj, old = attributes.obj or {}, attributes.old or {}
        creating = attributes.operation == "CREATE"
        if not creating and _taints(obj) != _taints(old):
            return f'node "{node}" is not allowed to modify taints'
        if not creating and _owners(obj) != _owners(old):
            return f'node "{node}" is not allowed to modify ownerReferences'
        labels = ", ".join(forbidden_labels(_labels(obj), _labels(old)))
        if not labels:
            return ""
        set_ = f'node "{node}" is not allowed to set the following labels: {labels}'
        return set_ if creating else f"is not allowed to modify labels: {labels}"

    def _claim(self, attributes: Attributes, node: str) -> str:
        if attributes.subresource != "status":
            return "may only update PVC status"
        if attributes.operation != "UPDATE":
            return f'unexpected operation "{attributes.operation}"'
        if _steady(attributes.obj or {}) == _steady(attributes.old or {}):
            return ""
        why = "is not allowed to update fields other than status.quantity and status.conditions"
        return f'node "{node}" {why}'

    def _lease(self, attributes: Attributes, node: str) -> str:
        if attributes.namespace != _LEASE_NAMESPACE:
            return f'can only access leases in the "{_LEASE_NAMESPACE}" system namespace'
        own = _name(attributes) == node
        return "" if own else "can only access node lease with the same name as the requesting node"

    def _csi_node(self, attributes: Attributes, node: str) -> str:
        own = _name(attributes) == node
        return "" if own else "can only access CSINode with the same name as the requesting node"

    def _slice(self, attributes: Attributes, node: str) -> str:
        if attributes.operation not in ("CREATE", "DELETE"):
            return ""
        creating = attributes.operation == "CREATE"
        verb, obj = ("create", attributes.obj) if creating else ("delete", attributes.old)
        if _node_of(obj or {}) == node:
            return ""
        return f"can only {verb} ResourceSlice with the same NodeName as the requesting node"

    def _signing_request(self, attributes: Attributes, node: str) -> str:
        spec = (attributes.obj or {}).get("spec") or {}
        if attributes.operation != "CREATE" or spec.get("signerName") not in _KUBELET_SIGNERS:
            return ""
        try:
            name = certificate_requests.common_name(certificate_requests.parse(spec.get("request") or ""))
        except RequestError as error:
            return f"unable to parse csr: {error}"
        own = name == f"system:node:{node}"
        return "" if own else f"can only create a node CSR with CN=system:node:{node}"

    def _found(self, resource: str, namespace: str, name: str) -> Object:
        record = self._objects.get(resource, namespace, name)
        if record is None:
            raise not_found(GroupResource("", resource), name)
        return record.obj


_CHECKS: dict[str, _Check] = {
    "pods": NodeRestriction._pod,
    "nodes": NodeRestriction._own_node,
    "persistentvolumeclaims": NodeRestriction._claim,
    "serviceaccounts": NodeRestriction._token,
    "leases.coordination.k8s.io": NodeRestriction._lease,
    "csinodes.storage.k8s.io": NodeRestriction._csi_node,
    "resourceslices.resource.k8s.io": NodeRestriction._slice,
    "certificatesigningrequests.certificates.k8s.io": NodeRestriction._signing_request,
}


def _name(attributes: Attributes) -> str:
    if attributes.obj is not None and not attributes.name:
        return str(attributes.obj["metadata"].get("name", ""))
    return attributes.name


def _node_of(obj: Object) -> str:
    return str((obj.get("spec") or {}).get("nodeName") or "")


def _taints(node: Object) -> list[Any]:
    return (node.get("spec") or {}).get("taints") or []


def _owners(node: Object) -> list[Any]:
    return node["metadata"].get("ownerReferences") or []


def _labels(obj: Object) -> dict[str, str]:
    return (obj.get("metadata") or {}).get("labels") or {}


def _steady(claim: Object) -> Object:
    """A claim without what its node may change."""
    metadata = {
        key: value
        for key, value in claim["metadata"].items()
        if key not in ("resourceVersion", "managedFields")
    }
    status = {
        key: value for key, value in (claim.get("status") or {}).items() if key not in _VOLATILE_CLAIM_STATUS
    }
    return {**claim, "metadata": metadata, "status": status}


def _refused(attributes: Attributes, why: str) -> Forbidden:
    return forbidden(attributes.kind.resource, _name(attributes), why)
