"""The node authorizer: what a node's agent may do, beside what roles give it.

Objects that pods use may be read when they concern the node (`node_relations`); what belongs to the node by
its name is the node's own; all else is decided by the rules of the role system:node. What can only be seen in
the objects that are written is left to the admission plug-in NodeRestriction.
"""

from collections.abc import Callable

from kubeling.objects.fields import FieldSelectorError, parse_field_selector
from server.auth.attributes import ALLOWED, NO_OPINION, Attributes, Decision
from server.auth.identities import node_name
from server.auth.node_relations import NodeRelations, Objects
from server.auth.rules import Rule

_READ = frozenset({"get", "list", "watch"})
_OWN = frozenset({"get", "create", "update", "patch", "delete"})
_WRITE = frozenset({"update", "patch"})
_LEASE_NAMESPACE = "kube-node-lease"

_Decide = Callable[[str, Attributes], Decision]


class NodeAuthorizer:
    """Decides for members of system:nodes that are named system:node:NAME; has no opinion on anyone else."""

    def __init__(self, objects: Objects, rules: Callable[[], tuple[Rule, ...]]) -> None:
        """`rules` gives those of system:node; they are asked for when the first node comes."""
        self._relations = NodeRelations(objects)
        self._rules = rules
        self._subdivided: dict[tuple[str, str], _Decide] = {
            ("", "secrets"): self._read_namespaced,
            ("", "configmaps"): self._read_namespaced,
            ("", "persistentvolumeclaims"): self._get_or_update_status,
            ("resource.k8s.io", "resourceclaims"): self._get,
            ("", "persistentvolumes"): self._get,
            ("storage.k8s.io", "volumeattachments"): self._get_by_node_name,
            ("", "serviceaccounts"): self._service_account,
            ("coordination.k8s.io", "leases"): _lease,
            ("storage.k8s.io", "csinodes"): _csi_node,
            ("resource.k8s.io", "resourceslices"): self._resource_slice,
            ("", "nodes"): _node,
            ("", "pods"): self._pod,
        }

    def decide(self, request: Attributes) -> Decision:
        node = node_name(request.user)
        if not node:
            return NO_OPINION
        if not request.is_resource:
            return NO_OPINION
        decide = self._subdivided.get((request.group, request.resource))
        return decide(node, request) if decide else self._by_rules(request)

    def _by_rules(self, request: Attributes) -> Decision:
        for rule in self._rules():
            if rule.allows_verb(request.verb) and rule.allows_resource(
                request.group, request.resource, request.subresource
            ):
                return ALLOWED
        return NO_OPINION

    def _concerned(self, node: str, request: Attributes) -> Decision:
        if not request.name:
            return Decision(False, "No Object name found")
        if self._relations.concerns(node, request.resource, request.namespace, request.name):
            return ALLOWED
        return _unrelated(node)

    def _read_namespaced(self, node: str, request: Attributes) -> Decision:
        if request.verb not in _READ:
            return Decision(False, "can only read resources of this type")
        if request.subresource:
            return Decision(False, "cannot read subresource")
        if not request.namespace:
            return Decision(False, "can only read namespaced object of this type")
        return self._concerned(node, request)

    def _get(self, node: str, request: Attributes) -> Decision:
        return _not_get(request) or self._concerned(node, request)

    def _get_or_update_status(self, node: str, request: Attributes) -> Decision:
        if request.subresource != "status":
            return self._get(node, request)
        if request.verb not in _WRITE:
            return Decision(False, "can only get/update/patch this type")
        return self._concerned(node, request)

    def _get_by_node_name(self, node: str, request: Attributes) -> Decision:
        return _not_get(request) or self._named(node, "volumeattachments.storage.k8s.io", request)

    def _named(self, node: str, resource: str, request: Attributes) -> Decision:
        named = self._relations.spec_names(node, resource, request.name)
        return ALLOWED if named else _unrelated(node)

    def _service_account(self, node: str, request: Attributes) -> Decision:
        if request.verb == "get" and not request.subresource:
            return self._concerned(node, request)
        if request.verb != "create" or not request.name:
            return Decision(False, "can only create tokens for individual service accounts")
        if request.subresource != "token":
            return Decision(False, "can only create token subresource of serviceaccount")
        return self._concerned(node, request)

    def _resource_slice(self, node: str, request: Attributes) -> Decision:
        if request.subresource:
            return Decision(False, "cannot authorize ResourceSlice subresources")
        if request.verb == "create":
            return ALLOWED
        if request.verb in ("list", "watch", "deletecollection"):
            why = "can only list/watch/deletecollection resourceslices with nodeName field selector"
            return ALLOWED if _selects(request, "spec.nodeName", node) else Decision(False, why)
        if request.verb in _OWN:
            return self._named(node, "resourceslices.resource.k8s.io", request)
        allowed = "get, watch, list, create, update, patch, delete, deletecollection"
        return Decision(False, f"only the following verbs are allowed for a ResourceSlice: {allowed}")

    def _pod(self, node: str, request: Attributes) -> Decision:
        verb = request.verb
        if request.subresource:
            by_node = (request.subresource, verb) == ("eviction", "create")
            return ALLOWED if by_node or _writes_status(request) else NO_OPINION
        if verb in ("list", "watch") and _selects(request, "spec.nodeName", node):
            return ALLOWED
        if verb in _READ and (request.name or verb == "get"):
            runs = self._relations.runs(node, request.namespace, request.name)
            return ALLOWED if runs else _unrelated(node)
        if verb in ("list", "watch"):
            return Decision(False, "can only list/watch pods with spec.nodeName field selector")
        return ALLOWED if verb in ("create", "delete") else NO_OPINION


def _unrelated(node: str) -> Decision:
    return Decision(False, f"no relationship found between node '{node}' and this object")


def _not_get(request: Attributes) -> Decision | None:
    if request.verb != "get":
        return Decision(False, "can only get individual resources of this type")
    return Decision(False, "cannot get subresource") if request.subresource else None


def _selects(request: Attributes, field: str, value: str) -> bool:
    """Whether the field selector requires that value of the field, however it is written."""
    try:
        return parse_field_selector(request.field_selector).exact(field) == value
    except FieldSelectorError:
        return False


def _writes_status(request: Attributes) -> bool:
    return request.subresource == "status" and request.verb in _WRITE


def _lease(node: str, request: Attributes) -> Decision:
    if request.verb not in _OWN:
        return Decision(False, "can only get, create, update, patch, or delete a node lease")
    if request.namespace != _LEASE_NAMESPACE:
        return Decision(False, f'can only access leases in the "{_LEASE_NAMESPACE}" system namespace')
    if request.verb != "create" and request.name != node:
        why = "can only access node lease with the same name as the requesting node"
        return Decision(False, why)
    return ALLOWED


def _csi_node(node: str, request: Attributes) -> Decision:
    if request.verb not in _OWN:
        return Decision(False, "can only get, create, update, patch, or delete a CSINode")
    if request.subresource:
        return Decision(False, "cannot authorize CSINode subresources")
    if request.verb != "create" and request.name != node:
        return Decision(False, "can only access CSINode with the same name as the requesting node")
    return ALLOWED


def _node(node: str, request: Attributes) -> Decision:
    if request.subresource:
        return ALLOWED if _writes_status(request) else NO_OPINION
    if request.verb in ("create", "update", "patch"):
        return ALLOWED
    if request.verb not in _READ:
        return NO_OPINION
    if request.name == node:
        return ALLOWED
    what = f"'{request.name}'" if request.name else "all nodes"
    return Decision(False, f"node '{node}' cannot read {what}, only its own Node object")
