"""The supervisor with real, tiny processes: order, logs, restarts, signals. Every wait is for an event."""

import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from kubeling.cluster import child, logfile
from kubeling.cluster.child import Child, ProcessSpec
from kubeling.cluster.events import Event, EventReader, EventSender
from kubeling.cluster.runstate import ProcessState
from kubeling.cluster.supervisor import Listeners, Supervisor

WAIT = "import signal; print('up', flush=True); signal.pause()"
STUBBORN = (
    "import signal; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; print('up', flush=True);"
    "[signal.pause() for _ in iter(int, 1)]"
)


def spec(
    tmp_path: Path, name: str, code: str, *, number: signal.Signals = signal.SIGTERM, patience: float = 30
) -> ProcessSpec:
    return ProcessSpec(name, [sys.executable, "-S", "-c", code], tmp_path / f"{name}.log", number, patience)


class Observer:
    """Notes what happens and does, on the n-th of an event, what a test wants done."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.states: list[dict[str, ProcessState]] = []
        self._reactions: dict[str, Callable[[], None]] = {}

    def on(self, what: str, action: Callable[[], None], *, nth: int = 1) -> None:
        self._reactions[f"{what}#{nth}"] = action

    def event(self, event: Event) -> None:
        self.events.append(f"{event.what} {event.process}")
        shown = self.events[-1]
        self._reactions.get(f"{shown}#{self.events.count(shown)}", lambda: None)()

    def run(self, specs: Sequence[ProcessSpec]) -> None:
        Supervisor(specs, Listeners(event=self.event, state=self.states.append)).run()


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "FIRST_DELAY", 0.001)


def test_processes_are_stopped_in_the_opposite_order(tmp_path: Path) -> None:
    observer = Observer()
    observer.on("started runtime", stop)
    observer.run([spec(tmp_path, "server", WAIT), spec(tmp_path, "runtime", WAIT)])
    assert observer.events == [
        "started server",
        "started runtime",
        "stopping runtime",
        "exited runtime",
        "stopping server",
        "exited server",
    ]
    assert all(state.identity is None for state in observer.states[-1].values())


def test_a_dead_process_is_started_again_and_counted(tmp_path: Path) -> None:
    observer = Observer()
    observer.on("started server", stop, nth=4)
    observer.run([spec(tmp_path, "server", "raise SystemExit(7)")])
    assert observer.events.count("started server") == 4
    assert observer.states[-1]["server"].restarts == 3
    assert observer.states[-1]["server"].last_exit == "exit code 7"


def test_a_stop_while_a_process_waits_for_its_restart_does_not_start_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "FIRST_DELAY", 3600.0)
    observer = Observer()
    observer.on("exited server", stop)
    observer.run([spec(tmp_path, "server", "pass")])
    assert observer.events == ["started server", "exited server"]


def test_output_goes_to_the_log(tmp_path: Path) -> None:
    observer = Observer()
    observer.on("exited server", stop)
    code = "import sys; print('out'); sys.stdout.flush(); sys.stderr.write('no newline')"
    observer.run([spec(tmp_path, "server", code)])
    assert (tmp_path / "server.log").read_text() == "out\nno newline\n"


def test_a_process_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    observer = Observer()
    supervisor = Supervisor(
        [spec(tmp_path, "server", STUBBORN, patience=0.0)],
        Listeners(event=observer.event, state=observer.states.append),
    )
    observer.on("started server", stop)
    supervisor.run()
    assert (
        "killed by SIG" in observer.states[-1]["server"].last_exit or observer.events[-1] == "exited server"
    )


def test_the_owner_hanging_up_stops_everything(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair()
    observer = Observer()
    observer.on("started server", ours.close)
    with theirs:
        supervisor = Supervisor(
            [spec(tmp_path, "server", WAIT)], Listeners(observer.event, observer.states.append)
        )
        supervisor.run(owner=theirs)
    assert observer.events[-1] == "exited server"


def test_a_program_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    observer = Observer()
    observer.on("exited server", stop, nth=2)
    observer.run([ProcessSpec("server", ["/nonexistent"], tmp_path / "server.log", signal.SIGTERM, 1.0)])
    assert "cannot be started" in observer.states[-1]["server"].last_exit


def test_the_stop_signal_is_the_processes_own(tmp_path: Path) -> None:
    code = "import signal, sys; signal.signal(2, lambda *_: sys.exit(3)); print('up'); signal.pause()"
    observer = Observer()
    reader, writer = os.pipe()
    with os.fdopen(reader), os.fdopen(writer, "w"):
        observer.on("started runtime", stop)
        observer.run([spec(tmp_path, "runtime", code, number=signal.SIGINT)])
    assert observer.events[-1] == "exited runtime"


def test_a_process_that_lived_long_is_started_again_quickly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "FIRST_DELAY", 0.5)
    process = Child(spec(tmp_path, "server", ""))
    delays = [process.note_failure("x", now=0.0) for _ in range(8)]
    assert delays == [0.5, 1, 2, 4, 5, 5, 5, 5]
    assert process.note_failure("x", now=child.STABLE_AFTER) == 0.5
    process.close()


@pytest.mark.parametrize(
    ("code", "text"),
    [(0, "exit code 0"), (3, "exit code 3"), (-9, "killed by SIGKILL"), (-63, "killed by signal 63")],
)
def test_exits_are_described_as_people_say_them(code: int, text: str) -> None:
    assert child.describe_exit(code) == text


def test_a_full_log_becomes_the_older_one(tmp_path: Path) -> None:
    log = logfile.LogFile(tmp_path / "x.log", limit=10, kept=2)
    for line in (b"first\n", b"second\n", b"third\n", b"fourth\n"):
        log.write(line)
    log.close()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "x.log": "fourth\n",
        "x.log.1": "third\n",
        "x.log.2": "second\n",
    }


def test_a_log_is_continued_and_private(tmp_path: Path) -> None:
    for text in (b"a\n", b"b\n"):
        log = logfile.LogFile(tmp_path / "x.log")
        log.write(text)
        log.close()
    assert logfile.tail(tmp_path / "x.log", 5) == ["a", "b"]
    assert (tmp_path / "x.log").stat().st_mode & 0o777 == 0o600


def test_the_tail_is_the_last_lines(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_text("".join(f"{number}\n" for number in range(100)))
    assert logfile.tail(tmp_path / "x.log", 2) == ["98", "99"]
    assert logfile.tail(tmp_path / "none.log", 2) == []


def test_events_arrive_whole_and_the_end_is_seen() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reader = EventReader(ours)
        sender = EventSender(theirs)
        sender.send(Event("started", "server"))
        sender.send(Event("exited", "server", "exit code 1"))
        assert list(reader.wait(1)) == [Event("started", "server"), Event("exited", "server", "exit code 1")]
        assert list(reader.wait(0)) == []
        assert not reader.closed
        theirs.close()
        assert list(reader.wait(1)) == []
        assert reader.closed


def test_nobody_listening_is_no_error() -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.close()
        EventSender(theirs).send(Event("started"))
        EventSender(None).send(Event("started"))
