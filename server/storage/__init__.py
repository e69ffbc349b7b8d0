"""Storage: the database is the log, memory is the state. `Store` is the face; all else is behind it.

Callers need `Store`, what it hands out (`Record`, `Event`, `Watch`, `Usage`), its `Limits` and `errors`.
"""

from server.storage.limits import Limits
from server.storage.record import Event, EventType, Key, Record
from server.storage.store import Store
from server.storage.usage import Usage
from server.storage.watch import Watch

__all__ = ["Event", "EventType", "Key", "Limits", "Record", "Store", "Usage", "Watch"]
