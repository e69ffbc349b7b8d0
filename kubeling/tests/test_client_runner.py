"""What the runner makes of a reconciler's outcomes."""

from collections.abc import Callable

import pytest

from kubeling.client.errors import ConnectionLost, PermanentError, TemporaryError
from kubeling.client.fake import FakeClient
from kubeling.client.resources import CONFIGMAPS
from kubeling.client.runner import DONE, ControllerRunner, Result
from kubeling.objects.clock import FakeClock
from kubeling.objects.errors import Conflict


class Reconciler:
    """Answers one outcome after the other, the last for ever, and notes when it was called."""

    def __init__(self, clock: FakeClock, *outcomes: Result | Exception) -> None:
        self.calls: list[float] = []
        self._clock = clock
        self._outcomes = list(outcomes)

    async def __call__(self, key: str) -> Result:
        self.calls.append(self._clock.monotonic())
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def calls(*outcomes: Result | Exception, seconds: float) -> list[float]:
    clock = FakeClock()
    reconciler = Reconciler(clock, *outcomes)
    runner = ControllerRunner("test", reconciler, clock=clock)
    runner.start()
    runner.queue.add("key")
    await clock.advance(seconds)
    await runner.stop()
    return reconciler.calls


async def test_success_is_not_repeated() -> None:
    assert await calls(DONE, seconds=2000) == [0]


async def test_a_result_may_ask_for_another_look() -> None:
    assert await calls(Result(requeue_after=60), DONE, seconds=2000) == [0, 60]


async def test_a_temporary_error_waits_as_long_as_it_says() -> None:
    assert await calls(TemporaryError("not yet", delay=7), DONE, seconds=2000) == [0, 7]


async def test_a_permanent_error_is_not_repeated() -> None:
    assert await calls(PermanentError("never"), seconds=2000) == [0]


@pytest.mark.parametrize(
    "error", [TemporaryError("x"), Conflict("x"), ConnectionLost("x"), ValueError("a bug")], ids=str
)
async def test_other_errors_are_repeated_with_backoff(error: Exception) -> None:
    assert await calls(error, error, DONE, seconds=1) == pytest.approx([0, 0.005, 0.015])


async def test_changes_of_a_watched_resource_are_reconciled() -> None:
    clock = FakeClock()
    client = FakeClient(clock=clock)
    keys: list[str] = []

    async def reconcile(key: str) -> Result:
        keys.append(key)
        return DONE

    runner = ControllerRunner("test", reconcile, clock=clock)
    runner.watches(client.informer(CONFIGMAPS))
    runner.start()
    client.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "ns"}})
    await clock.advance(0)
    assert keys == ["ns/a"]
    await runner.stop()
    await client.close()


async def test_stop_lets_a_reconcile_finish() -> None:
    clock = FakeClock()
    finished: list[str] = []
    release: list[Callable[[], None]] = []

    async def reconcile(key: str) -> Result:
        release.append(lambda: None)
        for _ in range(3):
            await clock.sleep(0)
        finished.append(key)
        return DONE

    runner = ControllerRunner("test", reconcile, clock=clock)
    runner.start()
    runner.queue.add("a")
    while not release:
        await clock.sleep(0)
    await runner.stop()
    assert finished == ["a"]
