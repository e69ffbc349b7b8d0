"""What clients are warned of: addresses that are oddly written, labels of nodes that are deprecated."""

from typing import Any

import pytest

from server.registry.groups.core.endpoints import EndpointsKind
from server.registry.groups.core.node import Nodes
from server.registry.groups.core.service import Services
from server.registry.groups.discovery import EndpointSlices
from server.registry.groups.ip_warnings import cidr_warnings, ip_warnings
from server.registry.groups.networking.ingress import Ingresses
from server.registry.groups.networking.network_policy import NetworkPolicies
from server.registry.groups.networking.service_addresses import ServiceCIDRs
from server.registry.groups.node import RuntimeClasses
from server.registry.groups.storage.classes import StorageClasses
from server.registry.groups.storage.csi import Capacities

FUTURE = "will be considered invalid in a future Kubernetes release"
OLD = "beta.kubernetes.io/arch"
NEW = 'deprecated since v1.14; use "kubernetes.io/arch" instead'
LONG, SHORT = "2001:db8:0::1", "2001:db8::1"
ODD = f'IPv6 address "{LONG}" should be in RFC 5952 canonical format ("{SHORT}")'


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("10.0.0.1", None),
        (SHORT, None),
        (LONG, f"f: {ODD}"),
        (
            "::ffff:10.0.0.1",
            f'f: non-standard IP address "::ffff:10.0.0.1" {FUTURE}: use "10.0.0.1"',
        ),
        ("nonsense", None),
    ],
)
def test_addresses(text: str, warning: str | None) -> None:
    assert list(ip_warnings("f", text)) == ([warning] if warning else [])


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("10.0.0.0/8", None),
        (
            "10.1.2.3/8",
            'f: CIDR value "10.1.2.3/8" is ambiguous in this context'
            ' (should be "10.0.0.0/8" or "10.1.2.3/32"?)',
        ),
        (
            "2001:db8:0::/48",
            'f: IPv6 CIDR value "2001:db8:0::/48" should be in RFC 5952 canonical format ("2001:db8::/48")',
        ),
        ("nonsense", None),
    ],
)
def test_ranges(text: str, warning: str | None) -> None:
    assert list(cidr_warnings("f", text)) == ([warning] if warning else [])


@pytest.mark.parametrize(
    ("strategy", "obj", "warning"),
    [
        (
            Services(),
            {"spec": {"clusterIPs": [LONG], "type": "ClusterIP", "sessionAffinity": "None"}},
            f"spec.clusterIPs[0]: {ODD}",
        ),
        (
            EndpointSlices(),
            {"addressType": "IPv6", "endpoints": [{"addresses": [LONG]}]},
            f"endpoints[0].addresses[0]: {ODD}",
        ),
        (
            EndpointsKind(),
            {"subsets": [{"notReadyAddresses": [{"ip": LONG}]}]},
            f"subsets[0].notReadyAddresses[0].ip: {ODD}",
        ),
        (
            NetworkPolicies(),
            {"spec": {"egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.1/8"}}]}]}},
            'spec.egress[0].to[0].ipBlock.cidr: CIDR value "10.0.0.1/8" is ambiguous in this context'
            ' (should be "10.0.0.0/8" or "10.0.0.1/32"?)',
        ),
        (
            ServiceCIDRs(),
            {"spec": {"cidrs": ["2001:db8:0::/64"]}},
            'spec.cidrs[0]: IPv6 CIDR value "2001:db8:0::/64" should be in RFC 5952 canonical format'
            ' ("2001:db8::/64")',
        ),
        (
            Nodes(),
            {"spec": {"podCIDRs": ["10.0.0.1/24"]}},
            'spec.podCIDRs[0]: CIDR value "10.0.0.1/24" is ambiguous in this context'
            ' (should be "10.0.0.0/24" or "10.0.0.1/32"?)',
        ),
        (
            Ingresses(),
            {"metadata": {"annotations": {"kubernetes.io/ingress.class": "c"}}, "spec": {}},
            'annotation "kubernetes.io/ingress.class" is deprecated,'
            " please use 'spec.ingressClassName' instead",
        ),
        (RuntimeClasses(), {"scheduling": {"nodeSelector": {OLD: "a"}}}, f"scheduling.nodeSelector: {NEW}"),
        (
            StorageClasses(),
            {"allowedTopologies": [{"matchLabelExpressions": [{"key": OLD, "values": ["a"]}]}]},
            f"allowedTopologies[0].matchLabelExpressions[0].key: {NEW}",
        ),
        (
            Capacities(),
            {"nodeTopology": {"matchExpressions": [{"key": OLD, "operator": "Exists"}]}},
            f"nodeTopology.matchExpressions[0].key: {NEW}",
        ),
    ],
)
def test_kinds_warn(strategy: Any, obj: dict[str, Any], warning: str) -> None:
    assert strategy.warnings(obj) == [warning]
