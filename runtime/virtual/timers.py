"""Things to be done at a time, each known by a name: one sleeper on the clock for all of them."""

from collections.abc import Callable

from kubeling.client.alarms import Alarms
from kubeling.objects.clock import Clock
from kubeling.objects.tasks import Tasks


class Timers:
    def __init__(self, clock: Clock, tasks: Tasks) -> None:
        self._alarms = Alarms[str](clock, tasks, self._ring)
        self._actions: dict[str, Callable[[], None]] = {}

    def set(self, name: str, seconds: float, action: Callable[[], None]) -> None:
        """Do it then, instead of whatever was to be done under that name."""
        self._actions[name] = action
        self._alarms.set(name, seconds)

    def cancel(self, name: str) -> None:
        if self._actions.pop(name, None) is not None:
            self._alarms.cancel(name)

    def _ring(self, name: str) -> None:
        action = self._actions.pop(name, None)
        if action is not None:
            action()
