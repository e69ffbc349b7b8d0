"""Registration of networking.k8s.io's kinds."""

from server.registry.groups.networking.ingress import Ingresses
from server.registry.groups.networking.ingress_class import IngressClasses
from server.registry.groups.networking.network_policy import NetworkPolicies
from server.registry.groups.networking.service_addresses import IPAddresses, ServiceCIDRs
from server.registry.groups.subresources import status
from server.registry.kind import Kind

_GROUP = "networking.k8s.io"

KINDS = (
    Kind(_GROUP, "IngressClass", "ingressclasses", IngressClasses(), namespaced=False),
    Kind(_GROUP, "Ingress", "ingresses", Ingresses(), short_names=("ing",), subresources=status("Ingress")),
    Kind(_GROUP, "IPAddress", "ipaddresses", IPAddresses(), namespaced=False, short_names=("ip",)),
    Kind(_GROUP, "NetworkPolicy", "networkpolicies", NetworkPolicies(), short_names=("netpol",)),
    Kind(
        _GROUP,
        "ServiceCIDR",
        "servicecidrs",
        ServiceCIDRs(),
        namespaced=False,
        subresources=status("ServiceCIDR"),
    ),
)
