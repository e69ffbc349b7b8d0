"""A pod's resolv.conf: the node's or the cluster DNS's, changed as the pod asks, within limits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object, namespace
from runtime.pods.identity import of_pod

MOST_SERVERS, MOST_SEARCHES, LONGEST_SEARCH_LINE, LONGEST_SEARCH = 3, 32, 2048, 253
_CLUSTER_OPTIONS = ("ndots:5",)


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """The lines of a resolv.conf that matter."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterDns:
    """The cluster's own DNS: its addresses, none when there is none, and the domain that it serves."""

    addresses: tuple[str, ...] = ()
    domain: str = "cluster.local"


@dataclass(frozen=True, slots=True)
class PodDns:
    config: cri.DNSConfig
    complaints: tuple[tuple[str, str], ...] = ()
    """Reasons and messages of warnings about the pod."""


STANDARD, RESOLVED = "/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"
"""The second is what systemd-resolved itself asks."""
LOCAL = ResolvConf(servers=("127.0.0.1",), searches=(".",))
"""Where the node's resolv.conf is set to "": pods ask whoever listens in their own network."""


def parse(text: str) -> ResolvConf:
    servers: list[str] = []
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    for line in text.splitlines():
        words = line.split("#")[0].split(";")[0].split()
        if not words:
            continue
        if words[0] == "nameserver" and len(words) > 1:
            servers.append(words[1])
        elif words[0] == "search":
            searches = tuple(word if word == "." else word.removesuffix(".") for word in words[1:])
        elif words[0] == "options":
            options = tuple(words[1:])
    return ResolvConf(tuple(servers), searches, options)


def read(path: str, *, standard: str = STANDARD, resolved: str = RESOLVED) -> ResolvConf:
    """The node's own; empty when there is none.

    Where the standard file names but a resolver that only the node itself reaches, those that it asks count.
    """
    if not path:
        return LOCAL
    made = _read(path)
    if path == standard and made.servers and all(map(_is_loopback, made.servers)):
        behind = _read(resolved)
        return behind if behind.servers else made
    return made


def _is_loopback(server: str) -> bool:
    return server.startswith("127.") or server == "::1"


def _read(path: str) -> ResolvConf:
    try:
        return parse(Path(path).read_text(errors="replace"))
    except OSError:
        return ResolvConf()


def pod_dns(pod: Object, node: ResolvConf, cluster: ClusterDns) -> PodDns:
    """What the pod's resolv.conf is to say, and what there is to complain of."""
    spec = pod.get("spec") or {}
    complaints: list[tuple[str, str]] = []
    base = _base(pod, node, cluster, complaints)
    extra = spec.get("dnsConfig") or {}
    servers = _joined(base.servers, extra.get("nameservers") or ())
    searches = _joined(base.searches, extra.get("searches") or ())
    if len(servers) > MOST_SERVERS:
        servers = servers[:MOST_SERVERS]
        complaints.append(_exceeded("Nameserver", "nameservers", "nameserver", servers))
    fitting = _fitting(searches)
    if fitting != searches:
        complaints.append(_exceeded("Search Line", "search paths", "search", fitting))
    options = _options(base.options, extra.get("options") or ())
    return PodDns(cri.DNSConfig(servers=servers, searches=fitting, options=options), tuple(complaints))


def missing_cluster_dns() -> str:
    """The kubelet's words about a node that knows no cluster DNS."""
    return (
        'kubelet does not have ClusterDNS IP configured and cannot create Pod using "ClusterFirst" policy. '
        'Falling back to "Default" policy.'
    )


def _base(
    pod: Object, node: ResolvConf, cluster: ClusterDns, complaints: list[tuple[str, str]]
) -> ResolvConf:
    spec = pod.get("spec") or {}
    policy = spec.get("dnsPolicy") or "ClusterFirst"
    if policy == "None":
        return ResolvConf()
    if policy == "Default" or (policy == "ClusterFirst" and spec.get("hostNetwork")):
        return node
    if not cluster.addresses:
        complaints.append(("MissingClusterDNS", f'pod: "{of_pod(pod)}". {missing_cluster_dns()}'))
        return node
    return ResolvConf(cluster.addresses, _cluster_searches(pod, node, cluster.domain), _CLUSTER_OPTIONS)


def _cluster_searches(pod: Object, node: ResolvConf, domain: str) -> tuple[str, ...]:
    own = () if node == LOCAL else node.searches
    return (f"{namespace(pod)}.svc.{domain}", f"svc.{domain}", domain, *own) if domain else own


def _fitting(searches: Sequence[str]) -> list[str]:
    """As many as resolvers take, in their order."""
    fitting = [each for each in searches[:MOST_SEARCHES] if len(each) <= LONGEST_SEARCH]
    while len(" ".join(fitting)) > LONGEST_SEARCH_LINE:
        fitting.pop()
    return fitting


def _exceeded(limits: str, omitted: str, line: str, applied: Iterable[str]) -> tuple[str, str]:
    message = (
        f"{limits} limits were exceeded, some {omitted} have been omitted, "
        f"the applied {line} line is: {' '.join(applied)}"
    )
    return "DNSConfigForming", message


def _joined(first: Iterable[str], second: Iterable[str]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))


def _options(base: tuple[str, ...], extra: Iterable[Object]) -> list[str]:
    """The pod's options replace the node's of the same name."""
    merged = {option.partition(":")[0]: option for option in base}
    for option in extra:
        value = option.get("value")
        merged[option["name"]] = f"{option['name']}:{value}" if value else option["name"]
    return list(merged.values())
