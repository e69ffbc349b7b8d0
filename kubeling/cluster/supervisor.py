"""Keeps the processes of a cluster running until a signal says stop, then stops them one after the other.

One loop waits for everything at once: signals, the end of a process, its output, the time of a restart.

    starting ──> running ──(ends)──> waiting ──(backoff)──> running
                    └──(signal)──> stopping the last, ..., stopping the first ──> done

Not here: which processes these are (`kubeling.cluster.__main__`).
"""

import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from kubeling.cluster.child import Child, ProcessSpec
from kubeling.cluster.events import Event
from kubeling.cluster.identity import identify
from kubeling.cluster.runstate import ProcessState

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@dataclass
class Listeners:
    """Whom the supervisor tells what."""

    event: Callable[[Event], None]
    state: Callable[[dict[str, ProcessState]], None]


@dataclass
class _Timer:
    at: float
    action: Callable[[], None] = field(repr=False)


class Supervisor:
    def __init__(
        self, specs: Sequence[ProcessSpec], listeners: Listeners, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        """`specs` in the order of starting; they are stopped in the opposite order."""
        self._children = [Child(spec) for spec in specs]
        self._listeners = listeners
        self._now = now
        self._selector = selectors.DefaultSelector()
        self._timers: dict[str, _Timer] = {}
        self._stopping: list[Child] | None = None

    def run(self, *, owner: socket.socket | None = None) -> None:
        """Returns when all processes have been stopped. If the owner hangs up, that is a signal to stop."""
        with ExitStack() as stack:
            stack.callback(self._selector.close)
            wakeups = stack.enter_context(_signal_wakeups())
            self._selector.register(wakeups, selectors.EVENT_READ, lambda: self._signalled(wakeups))
            if owner:
                self._selector.register(owner, selectors.EVENT_READ, lambda: self._owner_gone(owner))
            for child in self._children:
                self._start(child)
            while self._stopping is None or self._stopping:
                self._wait()
            for child in self._children:
                child.close()

    def _wait(self) -> None:
        for key, _ in self._selector.select(self._patience()):
            key.data()
        for name, timer in list(self._timers.items()):
            if timer.at <= self._now():
                del self._timers[name]
                timer.action()

    def _patience(self) -> float | None:
        if not self._timers:
            return None
        return max(0.0, min(timer.at for timer in self._timers.values()) - self._now())

    def _start(self, child: Child) -> None:
        try:
            child.start(now=self._now())
        except OSError as error:
            self._schedule_restart(child, f"cannot be started: {error}")
            return
        self._selector.register(child.pidfd, selectors.EVENT_READ, lambda: self._ended(child))
        self._selector.register(child.output, selectors.EVENT_READ, lambda: self._collect(child))
        self._publish(Event("started", child.spec.name))

    def _collect(self, child: Child) -> None:
        if child.output >= 0 and not child.collect():
            self._selector.unregister(child.output)

    def _ended(self, child: Child) -> None:
        self._selector.unregister(child.pidfd)
        if child.output in self._selector.get_map():
            self._selector.unregister(child.output)
        reason = child.reap()
        self._timers.pop(child.spec.name, None)
        if self._stopping is None:
            self._schedule_restart(child, reason)
        else:
            self._publish(Event("exited", child.spec.name, reason))
            self._stop_next()

    def _schedule_restart(self, child: Child, reason: str) -> None:
        delay = child.note_failure(reason, now=self._now())
        self._timers[child.spec.name] = _Timer(self._now() + delay, lambda: self._restart(child))
        self._publish(Event("exited", child.spec.name, reason))

    def _restart(self, child: Child) -> None:
        child.restarts += 1
        self._start(child)

    def _signalled(self, wakeups: socket.socket) -> None:
        wakeups.recv(4096)
        self._stop()

    def _owner_gone(self, owner: socket.socket) -> None:
        self._selector.unregister(owner)
        self._stop()

    def _stop(self) -> None:
        if self._stopping is None:
            self._timers.clear()
            self._stopping = list(self._children)
            self._stop_next()

    def _stop_next(self) -> None:
        """Stops the last process that still runs; its end leads here again."""
        while self._stopping and self._stopping[-1].pid is None:
            self._stopping.pop()
        if self._stopping and self._stopping[-1].spec.name not in self._timers:
            child = self._stopping[-1]
            self._publish(Event("stopping", child.spec.name))
            child.send(child.spec.stop_signal)
            deadline = self._now() + child.spec.stop_timeout
            self._timers[child.spec.name] = _Timer(deadline, lambda: child.send(signal.SIGKILL))

    def _publish(self, event: Event) -> None:
        self._listeners.state({child.spec.name: _state(child) for child in self._children})
        self._listeners.event(event)


def _state(child: Child) -> ProcessState:
    identity = identify(child.pid) if child.pid is not None else None
    return ProcessState(identity, child.restarts, child.last_exit)


@contextmanager
def _signal_wakeups() -> Iterator[socket.socket]:
    """A socket that becomes readable when a stop signal arrives."""
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    before = [signal.signal(number, lambda *_: None) for number in STOP_SIGNALS]
    try:
        yield reader
    finally:
        for number, handler in zip(STOP_SIGNALS, before, strict=True):
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        reader.close()
        writer.close()
