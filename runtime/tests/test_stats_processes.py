"""Processes: what they have open, what they use, who listens on a socket."""

import os
import socket
from datetime import UTC, datetime
from pathlib import Path

from runtime.stats.processes import Processes, listener_of, process_use, processes_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STAT = "7 (a (b) c) S 1 7 7 0 -1 4194560 100 0 5 0 250 50 0 0 20 0 1 0 1000 4096 3 " + "0 " * 28


def test_what_processes_have_open(tmp_path: Path) -> None:
    for pid, links in ((7, ["/dev/null", "socket:[12]"]), (8, ["pipe:[3]"])):
        (tmp_path / str(pid) / "fd").mkdir(parents=True)
        for number, link in enumerate(links):
            (tmp_path / str(pid) / "fd" / str(number)).symlink_to(link)
    limits = f"Limit  Soft Limit  Hard Limit  Units\nMax open files{1024:>13}{4096:>13}  files\n"
    (tmp_path / "7" / "limits").write_text(limits)
    found = processes_of([7, 8, 9], opened=True, proc=tmp_path)
    assert found == Processes(3, files=3, sockets=1, most_files=1024)
    assert processes_of([7, 8], opened=False, proc=tmp_path) == Processes(2)


def test_what_a_process_uses(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_text(STAT)
    use = process_use(7, NOW, NOW, tmp_path)
    assert use is not None
    assert (use.cpu.total, use.cpu.user) == (3_000_000_000, 2_500_000_000)
    assert (use.memory.rss, use.memory.page_faults) == (3 * os.sysconf("SC_PAGE_SIZE"), 105)
    assert (use.started_at - NOW).total_seconds() == 10
    assert process_use(8, NOW, NOW, tmp_path) is None


def test_who_listens(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    assert listener_of(path) is None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(path)
        listening.listen()
        assert listener_of(path) == os.getpid()
