"""Holds pods at named steps of their life on the node, in an agent that was started with KUBELING_STEPS.

Not here: what the steps are; the agent itself says which a pod passes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from conformance.waiting import eventually

VARIABLE = "KUBELING_STEPS"


@dataclass(frozen=True)
class Steps:
    directory: Path

    def passed(self, pod: str) -> list[str]:
        """Every step that the pod has come to, in order."""
        file = self.directory / "passed" / pod
        return file.read_text().splitlines() if file.exists() else []

    def hold(self, steps: Mapping[str, str]) -> None:
        """Let each of these pods stop at its step."""
        for pod, step in steps.items():
            (self.directory / "held" / pod).unlink(missing_ok=True)
            (self.directory / "hold" / pod).write_text(step)

    def until_held(self, steps: Mapping[str, str], *, timeout: float = 60) -> None:
        def all_held() -> bool:
            missing = {pod: step for pod, step in steps.items() if not self._is_held(pod)}
            assert not missing, f"{missing}; last passed: {[self.passed(pod)[-1:] for pod in missing]}"
            return True

        eventually(all_held, what="all pods are held", timeout=timeout)

    def release(self) -> None:
        """The next agent holds nothing; the one that runs goes on holding what it holds."""
        for file in (self.directory / "hold").iterdir():
            file.unlink()

    def _is_held(self, pod: str) -> bool:
        return (self.directory / "held" / pod).exists()
