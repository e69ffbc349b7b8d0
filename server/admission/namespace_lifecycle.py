"""NamespaceLifecycle: nothing is created in a namespace that is missing or going; system namespaces stay."""

from kubeling.objects import meta
from kubeling.objects.errors import Forbidden, GroupResource, forbidden, not_found
from server.admission.chain import Objects, Plugin
from server.registry.admission import Attributes

PROTECTED = frozenset({"default", "kube-system", "kube-public"})
_NAMESPACES = GroupResource("", "namespaces")
_REVIEWS = frozenset({"authentication.k8s.io", "authorization.k8s.io"})


class NamespaceLifecycle(Plugin):
    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    def mutate(self, attributes: Attributes) -> None:
        """Refuse before other plug-ins look for the namespace's objects.

        Raises:
            NotFound, Forbidden: the namespace is missing, being deleted, or must not be deleted.
        """
        if attributes.kind.resource == _NAMESPACES:
            _keep_system_namespaces(attributes)
        elif attributes.operation == "CREATE" and attributes.kind.namespaced:
            self._check_namespace(attributes)

    def _check_namespace(self, attributes: Attributes) -> None:
        if attributes.kind.group in _REVIEWS:
            return
        record = self._objects.get("namespaces", "", attributes.namespace)
        if record is None:
            raise not_found(_NAMESPACES, attributes.namespace)
        if meta.is_terminating(record.obj) or record.obj.get("status", {}).get("phase") == "Terminating":
            raise _terminating(attributes)


def _keep_system_namespaces(attributes: Attributes) -> None:
    if attributes.operation == "DELETE" and not attributes.subresource and attributes.name in PROTECTED:
        raise forbidden(_NAMESPACES, attributes.name, "this namespace may not be deleted")


def _terminating(attributes: Attributes) -> Forbidden:
    space = attributes.namespace
    why = f"unable to create new content in namespace {space} because it is being terminated"
    error = forbidden(attributes.kind.resource, attributes.shown_name, why)
    cause = {
        "reason": "NamespaceTerminating",
        "message": f"namespace {space} is being terminated",
        "field": "metadata.namespace",
    }
    error.details = {**(error.details or {}), "causes": [cause]}
    return error
