"""Validation of pods' DNS configuration."""

import re

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.causes import invalid, invalids, required
from server.registry.groups.ip_validation import ip_errors

_MOST_SERVERS, _MOST_SEARCHES, _LONGEST_SEARCHES = 3, 32, 2048
_SUBDOMAIN = r"[a-z0-9_]([-_a-z0-9]*[a-z0-9])?(\.[a-z0-9_]([-_a-z0-9]*[a-z0-9])?)*"
_SEARCH = re.compile(_SUBDOMAIN)
_SEARCH_TEXT = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must"
    f" start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is"
    f" '{_SUBDOMAIN}')"
).replace("'-' or '.'", "'_', '-' or '.'")


def dns_causes(field: str, spec: Object) -> list[Cause]:
    config, none = spec.get("dnsConfig"), spec.get("dnsPolicy") == "None"
    if config is None:
        return [required(field, "must provide `dnsConfig` when `dnsPolicy` is None")] if none else []
    servers, where = config.get("nameservers") or [], f"{field}.nameservers"
    if none and not servers:
        return [required(where, "must provide at least one DNS nameserver when `dnsPolicy` is None")]
    causes: list[Cause] = []
    if len(servers) > _MOST_SERVERS:
        causes.append(invalid(where, servers, f"must not have more than {_MOST_SERVERS} nameservers"))
    for position, each in enumerate(servers):
        causes += invalids(f"{where}[{position}]", each, ip_errors(each))
    causes += _search_causes(f"{field}.searches", config.get("searches") or [])
    for position, option in enumerate(config.get("options") or ()):
        if not option.get("name"):
            causes.append(required(f"{field}.options[{position}]", "must not be empty"))
    return causes


def _search_causes(field: str, searches: list[str]) -> list[Cause]:
    causes: list[Cause] = []
    if len(searches) > _MOST_SEARCHES:
        causes.append(invalid(field, searches, f"must not have more than {_MOST_SEARCHES} search paths"))
    if len(" ".join(searches)) > _LONGEST_SEARCHES:
        why = f"must not have more than {_LONGEST_SEARCHES} characters (including spaces) in the search list"
        causes.append(invalid(field, searches, why))
    for position, each in enumerate(searches):
        name = each.removesuffix(".")
        if each != "." and (len(name) > 253 or not _SEARCH.fullmatch(name)):
            causes += invalids(f"{field}[{position}]", name, [_SEARCH_TEXT])
    return causes
