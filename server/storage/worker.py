"""A thread that does one job after the other for the event loop, at the price of one wake-up each way.

An executor would do, too, but costs several times as much as a short transaction: two chained futures, a lock
and a condition per job.
"""

import asyncio
import contextlib
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")
_Job = tuple[Callable[[], Any], "asyncio.Future[Any]"]


class Worker:
    """Jobs are done in the order in which they come; used from one event loop."""

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name=name, daemon=True)
        self._started = False

    async def run(self, job: Callable[[], T]) -> T:
        """What the job returns or raises. Cancelling the caller does not interrupt it."""
        if not self._started:
            self._started = True
            self._thread.start()
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._jobs.put((job, done))
        return await done

    def stop(self) -> None:
        """End the thread, which is to have nothing to do; nothing can be run any more."""
        if self._started:
            self._jobs.put(None)
            self._thread.join()

    def _work(self) -> None:
        while item := self._jobs.get():
            _do(*item)
            del item  # what it holds must not live until the next job comes


def _do(job: Callable[[], Any], done: "asyncio.Future[Any]") -> None:
    result, failure = None, None
    try:
        result = job()
    except BaseException as error:  # noqa: BLE001 (handed to the caller, whatever it is)
        failure = error
    with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody waits
        done.get_loop().call_soon_threadsafe(_answer, done, result, failure)


def _answer(done: "asyncio.Future[Any]", result: object, failure: BaseException | None) -> None:
    if done.done():
        return
    if failure is not None:
        done.set_exception(failure)
    else:
        done.set_result(result)
