"""containerd's log is kept small while containerd writes to it."""

from pathlib import Path

from kubeling.objects.clock import FakeClock
from runtime.cri.containerd_log import ContainerdLog


async def test_a_full_log_is_moved_aside_and_its_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "containerd.log"
    log = ContainerdLog(path, FakeClock(), limit=10, kept=2)
    with path.open("ab", buffering=0) as writer:
        for number in range(3):
            writer.write(f"{number} a long line\n".encode())
            await log.look()
            assert path.read_bytes() == b""
        writer.write(b"short\n")
        await log.look()
    assert path.read_bytes() == b"short\n"
    assert (tmp_path / "containerd.log.1").read_bytes() == b"2 a long line\n"
    assert (tmp_path / "containerd.log.2").read_bytes() == b"1 a long line\n"
    assert len(list(tmp_path.iterdir())) == 3


async def test_a_log_that_is_not_there_is_no_trouble(tmp_path: Path) -> None:
    await ContainerdLog(tmp_path / "containerd.log", FakeClock()).look()
