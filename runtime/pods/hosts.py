"""The /etc/hosts that every container of a pod sees."""

from collections.abc import Sequence

from kubeling.objects.meta import Object, name

_HEADER = "# Kubernetes-managed hosts file.\n"
_HOST_NETWORK_HEADER = "# Kubernetes-managed hosts file (host network).\n"
_BASE = (
    "127.0.0.1\tlocalhost\n"
    "::1\tlocalhost ip6-localhost ip6-loopback\n"
    "fe00::0\tip6-localnet\n"
    "fe00::0\tip6-mcastprefix\n"
    "fe00::1\tip6-allnodes\n"
    "fe00::2\tip6-allrouters\n"
)


def hostname(pod: Object) -> str:
    """The pod's own host name: at most 63 letters of spec.hostname or its name."""
    override = (pod.get("spec") or {}).get("hostnameOverride")
    if override:
        return str(override)
    return str((pod.get("spec") or {}).get("hostname") or name(pod))[:63].rstrip("-.")


def hosts_file(pod: Object, pod_ips: Sequence[str], *, node_hosts: str, cluster_domain: str) -> str:
    """`node_hosts` is the node's own file, which pods on the host's network see."""
    spec = pod.get("spec") or {}
    if spec.get("hostNetwork"):
        return _HOST_NETWORK_HEADER + node_hosts + _aliases(spec)
    own = hostname(pod)
    names = [own]
    if spec.get("subdomain"):
        namespace = (pod.get("metadata") or {}).get("namespace", "")
        names.insert(0, f"{own}.{spec['subdomain']}.{namespace}.svc.{cluster_domain}")
    addresses = "".join("\t".join([address, *names]) + "\n" for address in pod_ips)
    return _HEADER + _BASE + addresses + _aliases(spec)


def _aliases(spec: Object) -> str:
    aliases = spec.get("hostAliases") or []
    if not aliases:
        return ""
    lines = "".join("\t".join([alias["ip"], *(alias.get("hostnames") or [])]) + "\n" for alias in aliases)
    return "\n# Entries added by HostAliases.\n" + lines
