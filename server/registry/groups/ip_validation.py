"""Validation of texts that are IP addresses, ranges of them, or host names."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from kubeling.objects.errors import Cause
from kubeling.objects.names import label_errors, subdomain_errors
from server.registry.causes import invalid

Address = IPv4Address | IPv6Address
_NOT_AN_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_NOT_A_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
_WILDCARD = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must"
    " consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character"
    " (e.g. '*.example.com', regex used for validation is"
    " '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


@lru_cache(maxsize=4096)
def parsed_ip(text: str) -> Address | None:
    try:
        return None if "%" in text else ip_address(text)
    except ValueError:
        return None


def ip_errors(text: str) -> list[str]:
    return [_NOT_AN_IP] if parsed_ip(text) is None else []


def canonical_ip_errors(text: str) -> list[str]:
    """An address in the one form that stands for it: what an IPAddress is named."""
    found = parsed_ip(text)
    if found is None:
        return [_NOT_AN_IP]
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return ["must not be an IPv4-mapped IPv6 address"]
    return [] if str(found) == text else [f'must be in canonical form ("{found}")']


def cidr_errors(text: str) -> list[str]:
    address, slash, bits = text.partition("/")
    if not slash or not bits.isdecimal() or parsed_ip(address) is None:
        return [_NOT_A_CIDR]
    try:
        ip_network(text, strict=False)
    except ValueError:
        return [_NOT_A_CIDR]
    return []


def canonical_cidr_errors(text: str) -> list[str]:
    """A range without bits beyond its prefix."""
    if errors := cidr_errors(text):
        return errors
    network = ip_network(text, strict=False)
    if str(network).lower() == text.lower() or parsed_ip(text.partition("/")[0]) == network.network_address:
        return []
    return ["must not have bits set beyond the prefix length"]


def wildcard_errors(text: str) -> list[str]:
    """`*.` and a subdomain."""
    if text.startswith("*.") and not subdomain_errors(text[2:]):
        return []
    return [_WILDCARD]


def host_causes(field: str, host: str) -> list[Cause]:
    """A host name, or one with a wildcard for its first part."""
    errors = wildcard_errors(host) if "*" in host else subdomain_errors(host)
    return [invalid(field, host, error) for error in errors]


def qualified_domain_causes(field: str, name: str) -> list[Cause]:
    """A domain of at least two parts; a dot at its end does not matter."""
    name_without_dot = name.removesuffix(".")
    if errors := subdomain_errors(name_without_dot):
        return [invalid(field, name, error) for error in errors]
    if "." not in name_without_dot:
        return [invalid(field, name, "should be a domain with at least two segments separated by dots")]
    parts = name_without_dot.split(".")
    return [invalid(field, part, error) for part in parts for error in label_errors(part)]


def non_special_causes(field: str, text: str) -> list[Cause]:
    """An address that an endpoint can have."""
    found = parsed_ip(text)
    if found is None:
        return [invalid(field, text, "must be a valid IP address")]
    why = ""
    if found.is_unspecified:
        why = "may not be unspecified (0.0.0.0 or ::)"
    elif found.is_loopback:
        why = "may not be in the loopback range (127.0.0.0/8, ::1/128)"
    elif found.is_link_local:
        why = "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
    elif found.is_multicast and _is_link_local_multicast(found):
        why = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
    return [invalid(field, text, why)] if why else []


def _is_link_local_multicast(address: Address) -> bool:
    if isinstance(address, IPv4Address):
        return address in ip_network("224.0.0.0/24")
    return address.packed[0] == 0xFF and address.packed[1] & 0x0F == 0x02
