"""Who asks, and how the request is to be treated: what every write carries through the registry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from server.registry.strictness import Misread


@dataclass(frozen=True, slots=True)
class UserInfo:
    """An authenticated user, as authentication.k8s.io's UserInfo."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


SYSTEM = UserInfo("system:apiserver", groups=("system:masters", "system:authenticated"))
"""The server itself, for what it does on its own account."""


@dataclass(slots=True)
class RequestContext:
    """One request. `warnings` is filled on the way and ends in `Warning` headers."""

    user: UserInfo
    dry_run: bool = False
    field_manager: str = ""
    """As the request says; `user_agent` stands in for it where it may be left out."""
    field_validation: str = "Warn"
    """Strict, Warn or Ignore: what happens to fields that the schema does not know."""
    warnings: list[str] = field(default_factory=list)
    misread: Misread | None = None
    """What the API layer saw while it read the body; None when there was nothing."""
    user_agent: str = ""
    check_create: Callable[[], None] | None = None
    """Raises Forbidden when the user may not create such an object: an update or apply may come to that."""
