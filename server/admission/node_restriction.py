"""NodeRestriction: a node's agent writes about its own node, and about pods that are bound to it."""

from kubeling.objects.errors import Forbidden, GroupResource, forbidden
from server.admission.chain import Plugin
from server.auth.identities import node_name
from server.registry.admission import Attributes

_PODS, _NODES = GroupResource("", "pods"), GroupResource("", "nodes")
_LEASES = GroupResource("coordination.k8s.io", "leases")
_MIRROR = "kubernetes.io/config.mirror"


class NodeRestriction(Plugin):
    def validate(self, attributes: Attributes) -> None:
        """Let other users pass, and nodes in their own affairs.

        Raises:
            Forbidden: a node touches what is not its own.
        """
        node = node_name(attributes.context.user)
        if not node:
            return
        resource = attributes.kind.resource
        if resource == _PODS:
            _check_pod(attributes, node)
        elif resource in (_NODES, _LEASES) and _name(attributes) != node:
            raise _refused(
                attributes, node, f'is not allowed to modify {resource.resource[:-1]} "{_name(attributes)}"'
            )


def _name(attributes: Attributes) -> str:
    if attributes.obj is not None and not attributes.name:
        return str(attributes.obj["metadata"].get("name", ""))
    return attributes.name


def _check_pod(attributes: Attributes, node: str) -> None:
    if attributes.operation == "CREATE" and not attributes.subresource:
        pod = attributes.obj or {}
        if _MIRROR not in (pod.get("metadata", {}).get("annotations") or {}):
            raise _refused(attributes, node, "can only create mirror pods")
    else:
        pod = attributes.old or {}
    bound = pod.get("spec", {}).get("nodeName", "")
    if pod and bound != node:
        raise _refused(attributes, node, "can only touch pods with spec.nodeName set to itself")


def _refused(attributes: Attributes, node: str, why: str) -> Forbidden:
    return forbidden(attributes.kind.resource, _name(attributes), f'node "{node}" {why}')
