"""Which sysctls a pod may set: those that are the pod's alone, and those that the node's owner allows."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

Version = tuple[int, ...]

IPC, NETWORK = "IPC", "Net"
_NAMESPACED = {"kernel.sem": IPC}
_NAMESPACED_PREFIXES = {"kernel.shm": IPC, "kernel.msg": IPC, "fs.mqueue.": IPC, "net.": NETWORK}
_SAFE: dict[str, Version] = {
    "kernel.shm_rmid_forced": (),
    "net.ipv4.ip_local_port_range": (),
    "net.ipv4.tcp_syncookies": (),
    "net.ipv4.ping_group_range": (),
    "net.ipv4.ip_unprivileged_port_start": (),
    "net.ipv4.ip_local_reserved_ports": (3, 16),
    "net.ipv4.tcp_keepalive_time": (4, 5),
    "net.ipv4.tcp_fin_timeout": (4, 6),
    "net.ipv4.tcp_keepalive_intvl": (4, 5),
    "net.ipv4.tcp_keepalive_probes": (4, 5),
    "net.ipv4.tcp_rmem": (4, 15),
    "net.ipv4.tcp_wmem": (4, 15),
}
"""Each with the kernel from which on it is a namespace's own."""
_LONGEST = 253
_PATTERN = re.compile(r"([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*([a-z0-9][-_a-z0-9]*)?[a-z0-9*]")


class SysctlError(ValueError):
    """A pattern cannot be allowed, or a pod may not set what it asks for; the text is the kubelet's."""


def dotted(name: str) -> str:
    """The name with dots between its parts; `net/ipv4/conf/eth0.1` has its slashes and dots exchanged."""
    first = re.search(r"[./]", name)
    if first is None or first[0] == ".":
        return name
    return name.translate(str.maketrans("./", "/."))


@dataclass(frozen=True, slots=True)
class AllowedSysctls:
    """By name, and by prefix: the namespace that each belongs to."""

    names: dict[str, str]
    prefixes: dict[str, str]

    def check(self, name: str, *, host_network: bool, host_ipc: bool) -> None:
        """Raises: SysctlError."""
        name = dotted(name)
        namespace = self._namespace(name)
        if namespace is None:
            raise SysctlError(f'"{name}" not allowlisted')
        if (namespace == IPC and host_ipc) or (namespace == NETWORK and host_network):
            raise SysctlError(f'"{name}" not allowed with host {namespace} enabled')

    def _namespace(self, name: str) -> str | None:
        if name in self.names:
            return self.names[name]
        return next((held for prefix, held in self.prefixes.items() if name.startswith(prefix)), None)


def allowed(kernel: Version, patterns: Iterable[str] = ()) -> AllowedSysctls:
    """What is safe with this kernel, and what the patterns (names, or prefixes ending in `*`) add.

    Raises:
        SysctlError: a pattern is none, or names what all pods share.
    """
    made = AllowedSysctls({}, {})
    for pattern in (*(name for name, since in _SAFE.items() if kernel >= since), *patterns):
        if len(pattern) > _LONGEST or not _PATTERN.fullmatch(pattern):
            raise SysctlError(f'sysctl "{pattern}" must be a name, or a prefix that ends in *')
        name, is_prefix = dotted(pattern).removesuffix("*"), pattern.endswith("*")
        namespace = _namespace_of(name)
        if namespace is None:
            raise SysctlError(f'the sysctl "{pattern}" are not known to be namespaced')
        (made.prefixes if is_prefix else made.names)[name] = namespace
    return made


def _namespace_of(name: str) -> str | None:
    if name in _NAMESPACED:
        return _NAMESPACED[name]
    return next((held for prefix, held in _NAMESPACED_PREFIXES.items() if name.startswith(prefix)), None)
