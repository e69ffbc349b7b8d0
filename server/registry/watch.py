"""Watching a resource: initial events, selectors as enter and leave, bookmarks."""

from typing import Self

from server.registry.results import WatchEvent


class WatchStream:
    """Batches of events for one watcher. One task iterates; `close` ends the iteration."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[WatchEvent]:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError
