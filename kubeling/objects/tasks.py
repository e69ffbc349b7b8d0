"""The only place that makes asyncio tasks: each has an owner, a name, a shutdown, and none dies silently."""

import asyncio
import logging
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

logger = logging.getLogger(__name__)


class Tasks:
    """The background tasks of one owner.

    An exception that ends a task is logged with the task's name; the others go on. `stop` cancels what
    still runs and waits for it, so that no task outlives its owner.
    """

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._running: set[asyncio.Task[Any]] = set()
        self._stopped = False

    def start(self, work: Coroutine[Any, Any, Any], *, name: str) -> asyncio.Task[Any]:
        """Run `work` in the background.

        Raises:
            RuntimeError: the owner has been stopped.
        """
        if self._stopped:
            work.close()
            raise RuntimeError(f"{self._owner} has been stopped: {name} cannot start")
        full_name = f"{self._owner}/{name}"
        task = asyncio.create_task(_guarded(work, full_name), name=full_name)  # noqa: TID251
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: work.close())  # when cancelled before its first step
        return task

    def __len__(self) -> int:
        return len(self._running)

    async def stop(self) -> None:
        """Cancel every task and wait until all have ended. May be called more than once."""
        self._stopped = True
        current = asyncio.current_task()
        running = [task for task in self._running if task is not current]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


async def _guarded(work: Coroutine[Any, Any, Any], name: str) -> Any:
    try:
        return await work
    except Exception:
        logger.exception("task %s failed", name)
        return None
