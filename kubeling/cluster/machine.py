"""What this machine is called, which addresses and routes it has. Read from the kernel's tables in /proc:
importing pyroute2 would cost a tenth of the start-up time.

Not here: ports, which change hands (`kubeling.cluster.ports`).
"""

import contextlib
import ipaddress
import os
import re
import shutil
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

SYSTEM_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
PROC = Path("/proc/net")
LONGEST_NODE_NAME = 52
"""A certificate's common name has room for 64 characters, "system:node:" takes 12."""


def node_name() -> str:
    """The host's name as an object may be called: a lower-case DNS subdomain."""
    name = re.sub(r"[^a-z0-9.-]+", "-", socket.gethostname().lower())
    labels = (label.strip("-") for label in name.split("."))
    return ".".join(label for label in labels if label)[:LONGEST_NODE_NAME].strip("-.") or "node"


def find_program(name: str) -> str | None:
    """Where a program of the system is; a root shell made by `su` does not have sbin on its PATH."""
    return shutil.which(name, path=search_path())


def search_path() -> str:
    """The PATH of this process, completed by the system's directories."""
    own = os.environ.get("PATH", "").split(os.pathsep)
    return os.pathsep.join(dict.fromkeys([*filter(None, own), *SYSTEM_PATH]))


def host_name() -> str:
    """The host's name as a certificate can state it; empty if it cannot."""
    name = socket.gethostname()
    return name if re.fullmatch(r"[A-Za-z0-9_.-]{1,253}", name) else ""


def addresses(proc: Path = PROC) -> list[str]:
    """Every address of this machine that a client could use, link-local ones aside."""
    found = {*_ipv4_addresses(_read(proc / "fib_trie")), *_ipv6_addresses(_read(proc / "if_inet6"))}
    parsed = sorted(map(ipaddress.ip_address, found), key=lambda ip: (ip.version, int(ip)))
    return [str(ip) for ip in parsed if not ip.is_link_local]


def routes(proc: Path = PROC) -> list[ipaddress.IPv4Network]:
    """The IPv4 networks that this machine has a route to, the default route aside."""
    networks = []
    for line in _read(proc / "route").splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[7] != "00000000":
            networks.append(
                ipaddress.IPv4Network((_hex_address(fields[1]), _hex_address(fields[7])), strict=False)
            )
    return networks


def main_address() -> str:
    """The address that others reach this machine at: the default route's, else the first, else loopback."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("203.0.113.1", 9))  # a UDP connect chooses a route and sends nothing
        return str(probe.getsockname()[0])
    own = (ip for ip in addresses() if not ipaddress.ip_address(ip).is_loopback and ":" not in ip)
    return next(own, "127.0.0.1")


def _read(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text()
    return ""


def _ipv4_addresses(trie: str) -> Iterator[str]:
    leaf = ""
    for line in trie.splitlines():
        words = line.split()
        if words[:1] == ["|--"]:
            leaf = words[1]
        elif words == ["/32", "host", "LOCAL"]:
            yield leaf


def _ipv6_addresses(table: str) -> Iterator[str]:
    for line in table.splitlines():
        yield str(ipaddress.IPv6Address(int(line.split()[0], 16)))


def _hex_address(text: str) -> str:
    return socket.inet_ntoa(struct.pack("=I", int(text, 16)))
