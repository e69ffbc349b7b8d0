"""The kinds of apiextensions.k8s.io. Definitions are stored; what they define is not served yet."""

from server.registry.groups.plain import Generational
from server.registry.groups.subresources import status
from server.registry.kind import Kind

KINDS = (
    Kind(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        Generational(),
        namespaced=False,
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        subresources=status("CustomResourceDefinition"),
    ),
)
