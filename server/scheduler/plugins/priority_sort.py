"""The pod with the highest priority comes first, then the one that waits longest: as the queue orders
them."""

from server.scheduler.framework import Plugin


class PrioritySort(Plugin):
    name = "PrioritySort"
    points = frozenset({"queueSort"})
