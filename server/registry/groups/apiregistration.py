"""The kinds of apiregistration.k8s.io. APIServices are stored; requests are not forwarded to them yet."""

from server.registry.groups.plain import PathNamed
from server.registry.groups.subresources import status
from server.registry.kind import Kind

KINDS = (
    Kind(
        "apiregistration.k8s.io",
        "APIService",
        "apiservices",
        PathNamed(),
        namespaced=False,
        categories=("api-extensions",),
        subresources=status("APIService"),
    ),
)
