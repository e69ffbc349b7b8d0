"""How the parts of the control plane are, for componentstatuses. Each part is asked when a client asks.

One that runs elsewhere is well while it renews its lease.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from kubeling.objects import meta
from kubeling.objects.clock import Clock
from kubeling.objects.errors import GroupResource
from kubeling.objects.meta import Object
from server.registry.computed import Computed
from server.registry.groups.core.component_status import component_status
from server.storage import Store

Health = Callable[[], str]
"""Gives "" when the part is well, else the reason why not."""

_ELSEWHERE = "not a part of this server"


class Components:
    """The names are those of Kubernetes' components that do the same."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._parts: dict[str, Health] = {}

    def add(self, name: str, health: Health) -> None:
        """A part runs in this process."""
        self._parts[name] = health

    def by_resource(self) -> Mapping[GroupResource, Computed]:
        """What the registry asks for the kinds whose objects are not stored."""
        return {GroupResource("", "componentstatuses"): self._statuses}

    async def _statuses(self, namespace: str) -> Sequence[Object]:
        named = {name: self._asked(name) for name in ("controller-manager", "scheduler")}
        return [
            component_status("controller-manager", named["controller-manager"]),
            component_status("etcd-0", await self._database()),
            component_status("scheduler", named["scheduler"]),
        ]

    def _asked(self, name: str) -> str:
        health = self._parts.get(name)
        if health is not None:
            return health()
        return "" if self._is_led_elsewhere(name) else _ELSEWHERE

    def _is_led_elsewhere(self, name: str) -> bool:
        record = self._store.get("leases.coordination.k8s.io", "kube-system", f"kube-{name}")
        spec = (record.obj.get("spec") or {}) if record is not None else {}
        if not spec.get("holderIdentity") or not spec.get("renewTime"):
            return False
        valid = timedelta(seconds=spec.get("leaseDurationSeconds") or 0)
        return self._clock.now() <= meta.parse_timestamp(spec["renewTime"]) + valid

    async def _database(self) -> str:
        usage = await self._store.usage()
        return "" if usage.size is not None else "the database does not answer"
