"""The subresources that several kinds have, for their registration lines."""

from collections.abc import Mapping

from server.registry.kind import Subresource

_STORED = ("get", "patch", "update")
SCALE = Subresource("Scale", _STORED, group="autoscaling", version="v1")
PROXY_VERBS = ("create", "delete", "get", "patch", "update")


def status(kind: str) -> Mapping[str, Subresource]:
    return {"status": Subresource(kind, _STORED)}


def scale_and_status(kind: str) -> Mapping[str, Subresource]:
    return {"scale": SCALE, **status(kind)}
