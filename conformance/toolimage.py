"""The image with tools: programs that tests talk to, put on top of the test image.

They are compiled here from `conformance/tools`; the head of each of its files says what the tool does and its
options: eat, grpc-health, http, inspect, mounttest, signals, tcp, udp.
"""

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from conformance import testimage
from conformance.testimage import Image

NAME = "kubeling.test/tools:1"
SOURCES = Path(__file__).with_name("tools")
TOOLS = ("eat", "grpc-health", "http", "inspect", "mounttest", "signals", "tcp", "udp")
COMPILER = "gcc"
FLAGS = (
    *("-std=gnu11", "-D_GNU_SOURCE", "-O2", "-static", "-s", "-pthread", "-Wl,--build-id=none"),
    *("-Wall", "-Wextra", "-Wpedantic", "-Werror"),
)


def lacking() -> str:
    """Why it cannot be built; empty if it can."""
    if not shutil.which(COMPILER):
        return f"the test image's tools need {COMPILER}, which is not installed"
    return "" if _has_static_libc() else "the test image's tools need a static libc (libc6-dev)"


def build() -> Image:
    """The same bytes every time, of the same compiler."""
    links = {f"bin/{name}": "program" for name in TOOLS}
    return testimage.build().with_layer(testimage.layer_of({"bin/program": program()}, links))


@cache
def program() -> bytes:
    sources = sorted(file.name for file in SOURCES.glob("*.c"))
    with tempfile.TemporaryDirectory() as directory:
        made = Path(directory) / "program"
        command = [COMPILER, *FLAGS, "-o", str(made), *sources]
        done = subprocess.run(command, cwd=SOURCES, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"the tools do not compile:\n{done.stderr}"
        return made.read_bytes()


@cache
def _has_static_libc() -> bool:
    asked = [COMPILER, "-print-file-name=libc.a"]
    found = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False).stdout.strip()
    return Path(found).is_absolute() and Path(found).exists()
