"""The kinds of rbac.authorization.k8s.io."""

from server.registry.groups.plain import PathNamed
from server.registry.kind import Kind

_GROUP = "rbac.authorization.k8s.io"

KINDS = (
    Kind(_GROUP, "ClusterRoleBinding", "clusterrolebindings", PathNamed(), namespaced=False),
    Kind(_GROUP, "ClusterRole", "clusterroles", PathNamed(), namespaced=False),
    Kind(_GROUP, "RoleBinding", "rolebindings", PathNamed()),
    Kind(_GROUP, "Role", "roles", PathNamed()),
)
