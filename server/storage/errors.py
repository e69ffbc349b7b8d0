"""What storage raises.

    StorageError
    ├── KeyExists              a create found the key
    ├── KeyNotFound            an update or delete did not
    ├── RevisionConflict       the object is no longer at the expected revision
    ├── InvalidObject          the object cannot be encoded as JSON
    ├── Compacted              history before that revision has been deleted
    ├── FutureRevision         that revision has not happened yet
    ├── WatchOverflow          the watcher fell behind; it may resume from its revision
    ├── QueueFull              too many writes wait; try again later
    ├── StoreClosed            the store has been closed
    └── DatabaseError
        ├── DatabaseUnusable     not a database, damaged, not ours to open, written by a newer kubeling
        ├── DatabaseLocked       another process holds it
        └── DatabaseUnavailable  the disk is full or fails; the store goes on, later writes may succeed
            ├── ConnectionLost     the database's server went away, or does not answer
            │   └── CommitInDoubt  while committing: whether it did has yet to be found out
            └── WriteInDoubt       it went away while committing; nobody can say whether it did

SQLAlchemy's and the driver's errors never leave the package: each database translates its own.
"""


class StorageError(Exception):
    """Anything that storage raises; its text is a sentence for people."""


class KeyExists(StorageError):
    pass


class KeyNotFound(StorageError):
    pass


class RevisionConflict(StorageError):
    def __init__(self, *, expected: int, actual: int) -> None:
        super().__init__(f"expected revision {expected}, found {actual}")
        self.expected = expected
        self.actual = actual


class InvalidObject(StorageError):
    pass


class Compacted(StorageError):
    """The caller must list again: `compacted` is the oldest revision that can still be asked for."""

    def __init__(self, *, requested: int, compacted: int) -> None:
        super().__init__(f"revision {requested} has been compacted; the oldest retained is {compacted}")
        self.requested = requested
        self.compacted = compacted


class FutureRevision(StorageError):
    """As upstream's "Too large resource version": the caller may retry when the store has come so far."""

    def __init__(self, *, requested: int, current: int) -> None:
        super().__init__(f"Too large resource version: {requested}, current: {current}")
        self.requested = requested
        self.current = current


class WatchOverflow(StorageError):
    pass


class QueueFull(StorageError):
    pass


class StoreClosed(StorageError):
    pass


class DatabaseError(StorageError):
    """The database, not the request, is the cause."""


class DatabaseUnusable(DatabaseError):
    pass


class DatabaseLocked(DatabaseError):
    pass


class DatabaseUnavailable(DatabaseError):
    pass


class ConnectionLost(DatabaseUnavailable):
    pass


class CommitInDoubt(ConnectionLost):
    """`result` is what the work had returned, or would have. Never leaves the package."""

    def __init__(self, text: str, result: object) -> None:
        super().__init__(text)
        self.result = result


class WriteInDoubt(DatabaseUnavailable):
    """The write may have happened: the caller must look before it tries again."""
