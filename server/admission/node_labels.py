"""Which labels a node may give itself: its own, and those that the kubelet is known to set."""

from collections.abc import Mapping

_RESTRICTED = "node-restriction.kubernetes.io"
_KUBERNETES = ("kubernetes.io", "k8s.io")
_KUBELET_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")
_KUBELET_LABELS = frozenset(
    {
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
        "node.kubernetes.io/instance-type",
        "beta.kubernetes.io/instance-type",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
    }
)


def forbidden_labels(labels: Mapping[str, str], old: Mapping[str, str]) -> list[str]:
    """The keys, sorted, that were added, changed or taken away and that a node may not touch."""
    changed = {key for key in labels.keys() | old.keys() if labels.get(key) != old.get(key)}
    return sorted(filter(_is_forbidden, changed))


def _is_forbidden(key: str) -> bool:
    domain, slash, _ = key.partition("/")
    if not slash:
        return False
    if _within(domain, _RESTRICTED):
        return True
    theirs = any(_within(domain, each) for each in _KUBERNETES)
    known = key in _KUBELET_LABELS or any(_within(domain, each) for each in _KUBELET_DOMAINS)
    return theirs and not known


def _within(domain: str, parent: str) -> bool:
    return domain == parent or domain.endswith(f".{parent}")
