"""Run stock kubectl as a user does, and find the versions that this machine has.

Not here: what a test expects of it.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

CLOUD_SDK = Path("/usr/lib/google-cloud-sdk/bin")
OLDEST = (1, 27)
"""Older ones do not know what some of the tests ask of them."""
Object = dict[str, Any]


@dataclass(frozen=True)
class Result:
    command: str
    code: int
    output: bytes
    errors: str

    @property
    def text(self) -> str:
        return self.output.decode(errors="replace")

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    def __str__(self) -> str:
        return f"`{self.command}` ended with {self.code}\nstdout: {self.text}\nstderr: {self.errors}"


@dataclass(frozen=True)
class Kubectl:
    program: str
    kubeconfig: Path
    cache: Path
    """Discovery is cached here: another cluster may have had this port before."""
    namespace: str = "default"

    def within(self, namespace: str) -> "Kubectl":
        return replace(self, namespace=namespace)

    def arguments(self, *arguments: str) -> list[str]:
        common = [
            f"--kubeconfig={self.kubeconfig}",
            f"--cache-dir={self.cache}",
            f"--namespace={self.namespace}",
        ]
        return [self.program, *common, *arguments]

    def attempt(self, *arguments: str, stdin: bytes | str = b"", timeout: float = 60) -> Result:
        """Whatever the exit code is."""
        data = stdin.encode() if isinstance(stdin, str) else stdin
        command = self.arguments(*arguments)
        shown = "kubectl " + " ".join(arguments)
        try:
            done = subprocess.run(command, input=data, capture_output=True, timeout=timeout, check=False)
        except subprocess.TimeoutExpired as error:
            seen = f"stdout: {error.stdout!r:.2000}\nstderr: {error.stderr!r:.2000}"
            raise AssertionError(f"`{shown}` did not end within {timeout:g} s\n{seen}") from error
        return Result(shown, done.returncode, done.stdout, done.stderr.decode(errors="replace"))

    def __call__(self, *arguments: str, stdin: bytes | str = b"", timeout: float = 60) -> Result:
        """Must succeed."""
        result = self.attempt(*arguments, stdin=stdin, timeout=timeout)
        assert result.code == 0, str(result)
        return result

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "-o", "json").output)

    def apply(self, *objects: Object) -> Result:
        return self("apply", "-f", "-", stdin=manifest(*objects))

    def start(self, *arguments: str, **streams: Any) -> "subprocess.Popen[bytes]":
        """A kubectl that goes on running: the caller ends it."""
        return subprocess.Popen(self.arguments(*arguments), **streams)


def manifest(*objects: Object) -> str:
    """As JSON, several as a list."""
    items = {"apiVersion": "v1", "kind": "List", "items": objects}
    return json.dumps(objects[0] if len(objects) == 1 else items)


def found(named: Sequence[str]) -> list[str]:
    """Programs by rising version: those named, or the one on PATH and those of the Cloud SDK."""
    programs = list(named) or [*_on_path(), *map(str, sorted(CLOUD_SDK.glob("kubectl.1.*")))]
    return sorted((p for p in programs if version(p) >= OLDEST), key=version)


def extremes(named: Sequence[str]) -> list[str]:
    """The oldest and the newest, or all that were named."""
    programs = found(named)
    return programs if named or len(programs) < 2 else [programs[0], programs[-1]]


@cache
def version(program: str) -> tuple[int, ...]:
    """() where it does not run."""
    command = [program, "version", "--client", "--output=json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
        text = json.loads(done.stdout)["clientVersion"]["gitVersion"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return ()
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def _on_path() -> list[str]:
    program = shutil.which("kubectl")
    return [program] if program else []
