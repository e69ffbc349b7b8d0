"""The bounds of storage, each with the rule for what lies beyond it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    pending_writes: int = 4096
    """Writes that wait for the writer; one more is refused with QueueFull."""
    batch: int = 256
    """Writes in one transaction; the rest wait for the next."""
    doubt_seconds: float = 10
    """How long is asked what became of a commit when the database went away; then it is WriteInDoubt."""
    watch_queue: int = 4096
    """Events that wait for one watcher; one more ends it with WatchOverflow."""
    recent_events: int = 1024
    """Events of one resource in memory; older ones are read from the log."""
    recent_seconds: float = 75
    """Age beyond which events leave memory, though there be fewer than `recent_events`."""
    retention_seconds: float = 300
    """History of so long ago can be listed and watched; within twice that time it is compacted."""
    retained_revisions: int = 100_000
    """Revisions beyond which history is compacted, to half of this, before its time is up."""


DEFAULT_LIMITS = Limits()
