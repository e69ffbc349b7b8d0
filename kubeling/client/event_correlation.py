"""Which events are new, which repeat an earlier one, and which are too many. Only bookkeeping.

As upstream: the same event again raises a count; more than ten of one reason whose messages differ become
one combined event; an object may cause 25 events in a burst and then one in five minutes. What is
remembered is bounded: the least recently seen is forgotten first, and then counts from one again.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from kubeling.objects.meta import Object

CACHE_SIZE = 4096
SIMILAR_EVENTS = 10
SIMILAR_SECONDS = 600.0
BURST = 25
REFILL_PER_SECOND = 1 / 300
COMBINED = "(combined from similar events): "

Value = TypeVar("Value")


class _Recent(Generic[Value]):
    """A mapping that forgets what was not used for longest."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Any, Value] = OrderedDict()

    def get(self, key: Any) -> Value | None:
        if key in self._entries:
            self._entries.move_to_end(key)
        return self._entries.get(key)

    def put(self, key: Any, value: Value) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > CACHE_SIZE:
            self._entries.popitem(last=False)


@dataclass(slots=True)
class _Similar:
    last: float
    messages: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float


@dataclass(slots=True)
class Seen:
    """An event as it stands at the server: where to patch it, and how often it has happened."""

    name: str
    first: datetime
    count: int = 0


@dataclass(frozen=True, slots=True)
class Correlated:
    message: str
    seen: Seen
    """With its count raised already; 1 means that the event has to be created."""
    combined: bool


class Correlator:
    def __init__(self) -> None:
        self._similar: _Recent[_Similar] = _Recent()
        self._seen: _Recent[Seen] = _Recent()
        self._buckets: _Recent[_Bucket] = _Recent()

    def correlate(self, event: Object, *, new_name: str, now: datetime) -> Correlated | None:
        """What to do with an event that has just happened; None means that it is one too many."""
        group = _group(event)
        combined = self._is_one_of_many(group, event["message"], now.timestamp())
        field_path = event["involvedObject"].get("fieldPath", "")
        key = group if combined else (*group, field_path, event["message"])
        seen = self._seen.get(key) or Seen(new_name, now)
        seen.count += 1
        self._seen.put(key, seen)
        if not self._allowed((event["source"].get("component"), _identity(event)), now.timestamp()):
            return None
        message = f"{COMBINED}{event['message']}" if combined else event["message"]
        return Correlated(message, seen, combined)

    def _is_one_of_many(self, group: Any, message: str, now: float) -> bool:
        similar = self._similar.get(group)
        if similar is None or now - similar.last > SIMILAR_SECONDS:
            similar = _Similar(now)
        similar.last = now
        similar.messages.add(message)
        self._similar.put(group, similar)
        if len(similar.messages) < SIMILAR_EVENTS:
            return False
        similar.messages.pop()
        return True

    def _allowed(self, key: Any, now: float) -> bool:
        bucket = self._buckets.get(key) or _Bucket(BURST, now)
        bucket.tokens = min(BURST, bucket.tokens + (now - bucket.filled) * REFILL_PER_SECOND)
        bucket.filled = now
        self._buckets.put(key, bucket)
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True


def _identity(event: Object) -> tuple[str, ...]:
    involved = event["involvedObject"]
    return tuple(str(involved.get(name, "")) for name in ("kind", "namespace", "name", "uid", "apiVersion"))


def _group(event: Object) -> tuple[str, ...]:
    """What events have in common that differ in their message only."""
    reporter = (event["reportingComponent"], event["reportingInstance"], event.get("action", ""))
    return (*_identity(event), event["type"], event["reason"], *reporter)
