"""One line in the log when the database begins to fail, and one when it works again: not one per write."""

import logging

from server.storage.errors import DatabaseError

logger = logging.getLogger(__name__)


class Outage:
    def __init__(self) -> None:
        self._known = ""

    @property
    def lasts(self) -> bool:
        return bool(self._known)

    def begins(self, error: DatabaseError) -> None:
        """Something failed; another kind of failure is another line."""
        kind = type(error).__name__
        if kind != self._known:
            logger.error("until this is mended, writes are refused: %s", error)
        self._known = kind

    def ends(self) -> None:
        """Something succeeded."""
        if self._known:
            logger.info("the database works again")
            self._known = ""
