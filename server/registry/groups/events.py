"""The kinds of events.k8s.io: the core group's Events in their newer form."""

from server.registry.groups.core.kinds import EVENTS
from server.registry.kind import Kind
from server.registry.strategy import Strategy

KINDS = (Kind("events.k8s.io", "Event", "events", Strategy(), short_names=("ev",), stored_as=EVENTS),)
