"""A pod's host name, and the /etc/hosts that every container of it sees."""

from collections.abc import Sequence

from kubeling.objects.meta import Object, name, namespace

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


_LONGEST_NAME, _LONGEST_KERNEL_NAME = 63, 64


class NameTooLong(Exception):
    """The kernel does not take the pod's name with its domain; the text is the kubelet's."""


def hostname(pod: Object) -> str:
    """The pod's own host name: at most 63 letters of what the spec says or the pod's name."""
    spec = pod.get("spec") or {}
    whole = str(spec.get("hostnameOverride") or spec.get("hostname") or name(pod))
    return whole if len(whole) <= _LONGEST_NAME else whole[:_LONGEST_NAME].rstrip("-.")


def domain(pod: Object, cluster_domain: str) -> str:
    """ "" for a pod without a subdomain."""
    spec = pod.get("spec") or {}
    if not spec.get("subdomain") or spec.get("hostnameOverride"):
        return ""
    return f"{spec['subdomain']}.{namespace(pod)}.svc.{cluster_domain}"


def kernel_hostname(pod: Object, cluster_domain: str) -> str:
    """What `hostname` prints in the pod: with its domain where setHostnameAsFQDN asks for it.

    Raises:
        NameTooLong: together they have more than 64 letters.
    """
    own, place = hostname(pod), domain(pod, cluster_domain)
    if not place or not (pod.get("spec") or {}).get("setHostnameAsFQDN"):
        return own
    whole = f"{own}.{place}"
    if len(whole) > _LONGEST_KERNEL_NAME:
        raise NameTooLong(
            f"failed to construct FQDN from pod hostname and cluster domain, FQDN {whole} is too long "
            f"({_LONGEST_KERNEL_NAME} characters is the max, {len(whole)} characters requested)"
        )
    return whole


def hosts_file(pod: Object, pod_ips: Sequence[str], *, node_hosts: str, cluster_domain: str) -> str:
    """`node_hosts` is the node's own file, which pods on the host's network see."""
    spec = pod.get("spec") or {}
    if spec.get("hostNetwork"):
        return _HOST_NETWORK_HEADER + node_hosts + _aliases(spec)
    own, place = hostname(pod), domain(pod, cluster_domain)
    names = [f"{own}.{place}", own] if place else [own]
    addresses = "".join("\t".join([address, *names]) + "\n" for address in pod_ips)
    return _HEADER + _BASE + addresses + _aliases(spec)


def _aliases(spec: Object) -> str:
    aliases = spec.get("hostAliases") or []
    if not aliases:
        return ""
    lines = "".join("\t".join([alias["ip"], *(alias.get("hostnames") or [])]) + "\n" for alias in aliases)
    return "\n# Entries added by HostAliases.\n" + lines
