"""Kubernetes' IP addresses and networks."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_interface
from typing import Any, ClassVar

from server.cel.errors import EvaluationError
from server.cel.functions import Library

LIBRARY = Library()
_function, _member = LIBRARY.function, LIBRARY.member


@dataclass(frozen=True, slots=True)
class Address:
    type_name: ClassVar[str] = "net.IP"
    address: IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Network:
    """A network as it was written: with an address that may have bits beyond the prefix."""

    type_name: ClassVar[str] = "net.CIDR"
    interface: IPv4Interface | IPv6Interface


def _ip(text: str) -> Address:
    try:
        found = ip_address(text)
    except ValueError:
        raise EvaluationError(
            f'IP Address "{text}" parse error during conversion from string: ParseAddr("{text}"):'
            " unable to parse IP"
        ) from None
    if "%" in text:
        raise EvaluationError(f"IP address {text!r} with zone value is not allowed")
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        raise EvaluationError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    return Address(found)


def _cidr(text: str) -> Network:
    address, _, length = text.partition("/")
    try:
        if not re.fullmatch(r"0|[1-9]\d{0,2}", length, re.ASCII):
            raise ValueError
        _ip(address)
        return Network(ip_interface(text))
    except ValueError:  # EvaluationErrors are such, too
        message = f'network address parse error during conversion from string: netip.ParsePrefix("{text}")'
        raise EvaluationError(message) from None


def _succeeds(make: Callable[[str], Any]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            make(text)
        except EvaluationError:
            return False
        return True

    return check


def _family(value: Any) -> int:
    return int((value.address if isinstance(value, Address) else value.interface).version)


def _is_global(address: IPv4Address | IPv6Address) -> bool:
    broadcast = address == IPv4Address("255.255.255.255")
    local = address.is_link_local or address.is_loopback or address.is_multicast
    return not (address.is_unspecified or local or broadcast)


def _is_link_local_multicast(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return address.packed[:3] == b"\xe0\x00\x00"
    return address.packed[0] == 0xFF and address.packed[1] & 0x0F == 0x02


def _contains_ip(network: Network, address: Address) -> bool:
    return address.address in network.interface.network


def _contains_cidr(network: Network, other: Network) -> bool:
    one, two = network.interface.network, other.interface.network
    return one.version == two.version and one.prefixlen <= two.prefixlen and two.network_address in one


_function("ip", "string -> net.IP", cost="scan")(_ip)
_function("isIP", "string -> bool", cost="scan")(_succeeds(_ip))
_function("ip.isCanonical", "string -> bool", cost="scan_twice")(lambda text: str(_ip(text).address) == text)
_function("string", "net.IP -> string")(lambda value: str(value.address))
_function("cidr", "string -> net.CIDR", cost="scan")(_cidr)
_function("isCIDR", "string -> bool", cost="scan")(_succeeds(_cidr))
_function("string", "net.CIDR -> string")(lambda value: str(value.interface))
_member("family", "net.IP -> int")(_family)
_member("isUnspecified", "net.IP -> bool")(lambda value: value.address.is_unspecified)
_member("isLoopback", "net.IP -> bool")(lambda value: value.address.is_loopback)
_member("isLinkLocalMulticast", "net.IP -> bool")(lambda value: _is_link_local_multicast(value.address))
_member("isLinkLocalUnicast", "net.IP -> bool")(lambda value: value.address.is_link_local)
_member("isGlobalUnicast", "net.IP -> bool")(lambda value: _is_global(value.address))
_member("containsIP", "net.CIDR, net.IP -> bool", cost="network")(_contains_ip)
_member("containsIP", "net.CIDR, string -> bool", cost="network")(lambda a, b: _contains_ip(a, _ip(b)))
_member("containsCIDR", "net.CIDR, net.CIDR -> bool", cost="network")(_contains_cidr)
_member("containsCIDR", "net.CIDR, string -> bool", cost="network")(lambda a, b: _contains_cidr(a, _cidr(b)))
_member("ip", "net.CIDR -> net.IP")(lambda value: Address(value.interface.ip))
_member("masked", "net.CIDR -> net.CIDR")(lambda value: Network(ip_interface(str(value.interface.network))))
_member("prefixLength", "net.CIDR -> int")(lambda value: value.interface.network.prefixlen)
