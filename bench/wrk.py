"""HTTP load by wrk: so many connections for so many seconds.

Not here: which requests; a `Request` says it, with a little Lua where each request differs from the last.
"""

import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True)
class Request:
    path: str
    connections: int
    headers: Mapping[str, str] = field(default_factory=dict)
    script: str = ""
    """Lua, run once before the load."""


@dataclass(frozen=True)
class Load:
    """What came of it: requests per second, and milliseconds at two percentiles."""

    rate: float
    p50: float
    p99: float


class LoadError(Exception):
    """wrk is missing, or answers were no successes."""


def load(server: str, token: str, request: Request, *, seconds: float) -> Load:
    """Put load on a server.

    Raises:
        LoadError: see there.
    """
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", **request.headers}
    lines = [f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items()]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write("\n".join([*lines, request.script, ""]))
        script.flush()
        return _run(server + request.path, request.connections, seconds, Path(script.name))


def _run(url: str, connections: int, seconds: float, script: Path) -> Load:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--timeout", "20s", "--latency"]
    try:
        found = subprocess.run([*command, "-s", str(script), url], capture_output=True, text=True, check=True)
    except FileNotFoundError as error:
        raise LoadError("wrk is not installed") from error
    except subprocess.CalledProcessError as error:
        raise LoadError(f"wrk failed: {error.stderr}") from error
    if "Non-2xx" in found.stdout:
        raise LoadError(f"{url}: not every answer was a success:\n{found.stdout}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", found.stdout)
    if rate is None:
        raise LoadError(f"wrk printed no rate:\n{found.stdout}")
    return Load(float(rate[1]), _latency(found.stdout, 50), _latency(found.stdout, 99))


def _latency(text: str, percent: int) -> float:
    found = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s|m)\b", text)
    return float(found[1]) * _MILLISECONDS[found[2]] if found else 0.0
