"""Addresses and ranges that are valid but oddly written: texts for `Warning` headers."""

from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address, ip_interface

from server.registry.groups.ip_validation import cidr_errors, parsed_ip


def ip_warnings(field: str, text: str) -> Iterator[str]:
    found = parsed_ip(text)
    if not isinstance(found, IPv6Address):
        return
    if found.ipv4_mapped is not None:
        yield _not_standard(field, "IP address", text, use=str(found.ipv4_mapped))
    elif str(found) != text:
        yield f'{field}: IPv6 address "{text}" should be in RFC 5952 canonical format ("{found}")'


def cidr_warnings(field: str, text: str) -> Iterator[str]:
    if cidr_errors(text):
        return
    found = ip_interface(text)
    if found.ip != found.network.network_address:
        single = f"{found.ip}/{found.max_prefixlen}"
        yield (
            f'{field}: CIDR value "{text}" is ambiguous in this context (should be "{found.network}" or'
            f' "{single}"?)'
        )
    address = found.ip
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        yield _not_standard(field, "CIDR value", text, use=str(found.network))
    elif found.version == 6 and str(found) != text:
        yield f'{field}: IPv6 CIDR value "{text}" should be in RFC 5952 canonical format ("{found.network}")'


def each_cidr_warnings(field: str, texts: Iterable[str]) -> Iterator[str]:
    for position, each in enumerate(texts):
        yield from cidr_warnings(f"{field}[{position}]", each)


def _not_standard(field: str, what: str, text: str, *, use: str) -> str:
    future = "will be considered invalid in a future Kubernetes release"
    return f'{field}: non-standard {what} "{text}" {future}: use "{use}"'
