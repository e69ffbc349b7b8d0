"""Counters of network interfaces, as a process sees them."""

from datetime import datetime
from pathlib import Path

from runtime.stats.cgroup import text
from runtime.stats.usage import Interface, Network

_VIRTUAL = ("lo", "veth", "docker", "nerdctl", "tunl", "sit", "gre", "erspan", "ip6", "ip_vti")
"""What is left out of a node's or pod's network: its own loop and the far ends of others' links."""


def network_of(pid: int | str, now: datetime, proc: Path = Path("/proc")) -> Network | None:
    """Of the network that the process is in; None when it has gone."""
    lines = text(proc / str(pid) / "net" / "dev").splitlines()[2:]
    if not lines:
        return None
    return Network(now, tuple(each for line in lines if (each := _interface(line)) is not None))


def _interface(line: str) -> Interface | None:
    name, _, rest = line.strip().partition(":")
    counters = [int(word) for word in rest.split()]
    if len(counters) < 12 or name.startswith(_VIRTUAL):
        return None
    return Interface(name, *counters[:4], *counters[8:12])
