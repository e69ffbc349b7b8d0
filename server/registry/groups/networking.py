"""The kinds of networking.k8s.io."""

from server.registry.groups.plain import Generational
from server.registry.groups.subresources import status
from server.registry.kind import Kind
from server.registry.strategy import Strategy

_GROUP = "networking.k8s.io"

KINDS = (
    Kind(_GROUP, "IngressClass", "ingressclasses", Generational(), namespaced=False),
    Kind(
        _GROUP,
        "Ingress",
        "ingresses",
        Generational(),
        short_names=("ing",),
        subresources=status("Ingress"),
    ),
    Kind(_GROUP, "IPAddress", "ipaddresses", Strategy(), namespaced=False, short_names=("ip",)),
    Kind(_GROUP, "NetworkPolicy", "networkpolicies", Generational(), short_names=("netpol",)),
    Kind(
        _GROUP,
        "ServiceCIDR",
        "servicecidrs",
        Strategy(),
        namespaced=False,
        subresources=status("ServiceCIDR"),
    ),
)
