"""Image references as Docker and containerd complete them. Pure text; nothing is resolved."""

DEFAULT_REGISTRY = "docker.io"


def normalized(reference: str) -> str:
    """The full form: "busybox" → "docker.io/library/busybox:latest"; digests stay without a tag."""
    first, slash, rest = reference.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        first, rest = DEFAULT_REGISTRY, reference
    if first == DEFAULT_REGISTRY and "/" not in rest:
        rest = f"library/{rest}"
    if "@" not in rest and ":" not in rest.rpartition("/")[2]:
        rest += ":latest"
    return f"{first}/{rest}"
