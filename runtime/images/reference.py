"""Image references as Docker and containerd complete them. Pure text; nothing is resolved."""

DEFAULT_REGISTRY = "docker.io"
_OLD_REGISTRY = "index.docker.io"


def normalized(reference: str) -> str:
    """The full form: "busybox" → "docker.io/library/busybox:latest"; digests stay without a tag."""
    first, slash, rest = reference.partition("/")
    is_registry = "." in first or ":" in first or first == "localhost" or first != first.lower()
    if not slash or not is_registry:
        first, rest = DEFAULT_REGISTRY, reference
    if first == _OLD_REGISTRY:
        first = DEFAULT_REGISTRY
    if first == DEFAULT_REGISTRY and "/" not in rest:
        rest = f"library/{rest}"
    if "@" not in rest and ":" not in rest.rpartition("/")[2]:
        rest += ":latest"
    return f"{first}/{rest}"


def repository(reference: str) -> str:
    """The full form without tag and digest."""
    registry, _, rest = normalized(reference).partition("/")
    return f"{registry}/{rest.partition('@')[0].partition(':')[0]}"
