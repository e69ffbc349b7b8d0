"""Throughput of `kubectl logs -f` and of `kubectl exec`'s stdin and stdout.

Not here: the table (`bench.node`).
"""

import subprocess
import time
from pathlib import Path

from conformance.kubectl import Kubectl
from conformance.space import Space

MIB = 2**20
_LINE = "x" * 999
_LOG_MIB, _EXEC_MIB = 256, 256
_BLOCK = 65536
_LOOK = 0.005
_READY = "/tmp/written"


def logs(kubectl: Kubectl, space: Space, scratch: Path, *, rounds: int) -> list[float]:
    """MiB per second of a log of lines of 1000 bytes that is there already, followed to its present end."""
    lines = _LOG_MIB * MIB // (len(_LINE) + 1)
    script = f"yes {_LINE} | head -n {lines}; touch {_READY}; sleep 1000000"
    space.run_ready("talker", script)
    _until_written(kubectl)
    size = lines * (len(_LINE) + 1)
    rates = [_log_rate(kubectl, scratch / "output", size) for _ in range(rounds)]
    space.remove_pod("talker")
    return rates


def _until_written(kubectl: Kubectl) -> None:
    kubectl("exec", "talker", "--", "sh", "-c", f"until test -e {_READY}; do sleep 0.1; done", timeout=120)


def _log_rate(kubectl: Kubectl, file: Path, size: int) -> float:
    began = time.perf_counter()
    with file.open("wb") as out, kubectl.start("logs", "-f", "talker", stdout=out) as process:
        while file.stat().st_size < size:
            time.sleep(_LOOK)
        took = time.perf_counter() - began
        process.kill()
    return size / MIB / took


def exec_stdin(kubectl: Kubectl, space: Space, scratch: Path, *, rounds: int) -> list[float]:
    """MiB per second from a file into a command that reads it all."""
    file = scratch / "input"
    file.write_bytes(b"\0" * (_EXEC_MIB * MIB))
    space.run_ready("reader")
    rates = []
    for _ in range(rounds):
        began = time.perf_counter()
        with file.open("rb") as stdin:
            reading = ["sh", "-c", "cat >/dev/null; echo all"]
            command = kubectl.arguments("exec", "-i", "reader", "--", *reading)
            assert subprocess.run(command, stdin=stdin, capture_output=True, check=True).stdout == b"all\n"
        rates.append(_EXEC_MIB / (time.perf_counter() - began))
    space.remove_pod("reader")
    return rates


def exec_stdout(kubectl: Kubectl, space: Space, *, rounds: int) -> list[float]:
    """MiB per second out of a command that writes as fast as it can."""
    space.run_ready("writer")
    rates = []
    for _ in range(rounds):
        began = time.perf_counter()
        count = _EXEC_MIB * MIB // _BLOCK
        source = ["dd", "if=/dev/zero", f"bs={_BLOCK}", f"count={count}"]
        command = kubectl.arguments("exec", "writer", "--", *source)
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        ) as process:
            assert process.stdout
            read = 0
            while piece := process.stdout.read(MIB):
                read += len(piece)
        assert read == _EXEC_MIB * MIB
        rates.append(_EXEC_MIB / (time.perf_counter() - began))
    space.remove_pod("writer")
    return rates
