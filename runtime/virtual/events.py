"""Events of virtual nodes: as the kubelet's, but only so many.

A pod that starts has three or four Normal events for each container: with thousands of pods they would be
most of what is written. So each event takes from an allowance that grows with time, and is dropped where
there is none; Warnings are never dropped. Where there are many nodes, Normal events are not recorded at
all.
"""

from collections.abc import Callable, Mapping
from typing import Any

from kubeling.client.event_recorder import NO_ANNOTATIONS, WARNING, EventRecorder
from kubeling.objects.clock import Clock

MANY_NODES = 200
"""With more there are no Normal events."""
BURST, PER_SECOND = 500.0, 20.0


class Allowance:
    """Of all nodes together."""

    def __init__(self, clock: Clock, *, burst: float = BURST, per_second: float = PER_SECOND) -> None:
        self._clock = clock
        self._burst, self._per_second = burst, per_second
        self._left, self._at = burst, clock.monotonic()

    def take(self) -> bool:
        now = self._clock.monotonic()
        self._left = min(self._left + (now - self._at) * self._per_second, self._burst)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class NodeEvents:
    """The recorder of one node: implements `Recorder`."""

    def __init__(
        self, recorder: EventRecorder, allowance: Allowance, host: str, *, silent: Callable[[str], bool]
    ) -> None:
        """`silent` is asked with the node's name; what happens while it is true is not recorded."""
        self._recorder = recorder
        self._allowance = allowance
        self._host = host
        self._silent = silent

    def event(
        self,
        obj: Mapping[str, Any],
        kind: str,
        reason: str,
        message: str,
        *,
        field_path: str = "",
        action: str = "",
        annotations: Mapping[str, str] = NO_ANNOTATIONS,
    ) -> None:
        if self._silent(self._host):
            return
        if kind == WARNING or self._allowance.take():
            self._recorder.event(
                obj,
                kind,
                reason,
                message,
                field_path=field_path,
                action=action,
                host=self._host,
                annotations=annotations,
            )
