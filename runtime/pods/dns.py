"""A pod's resolv.conf: the node's, changed as dnsPolicy and dnsConfig ask. No cluster DNS exists yet."""

from dataclasses import dataclass
from pathlib import Path

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object


@dataclass(frozen=True, slots=True)
class ResolvConf:
    """The lines of a resolv.conf that matter."""

    servers: tuple[str, ...] = ()
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


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
            searches = tuple(words[1:])
        elif words[0] == "options":
            options = tuple(words[1:])
    return ResolvConf(tuple(servers), searches, options)


def read(path: Path = Path("/etc/resolv.conf")) -> ResolvConf:
    """The node's own; empty when there is none."""
    try:
        return parse(path.read_text(errors="replace"))
    except OSError:
        return ResolvConf()


def dns_config(pod: Object, node: ResolvConf) -> cri.DNSConfig:
    spec = pod.get("spec") or {}
    base = ResolvConf() if spec.get("dnsPolicy") == "None" else node
    extra = spec.get("dnsConfig") or {}
    return cri.DNSConfig(
        servers=_joined(base.servers, extra.get("nameservers") or ()),
        searches=_joined(base.searches, extra.get("searches") or ()),
        options=_options(base.options, extra.get("options") or ()),
    )


def _joined(first: tuple[str, ...], second: list[str] | tuple[str, ...]) -> list[str]:
    return list(dict.fromkeys([*first, *second]))


def _options(base: tuple[str, ...], extra: list[Object] | tuple[Object, ...]) -> list[str]:
    """The pod's options replace the node's of the same name."""
    merged = {option.partition(":")[0]: option for option in base}
    for option in extra:
        value = option.get("value")
        merged[option["name"]] = f"{option['name']}:{value}" if value else option["name"]
    return list(merged.values())
