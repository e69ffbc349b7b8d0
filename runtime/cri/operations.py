"""Counts the calls to the runtime: how many, how many failed, how long they took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from kubeling.objects.histogram import Histogram
from runtime.errors import RuntimeServiceError

BOUNDS = tuple(0.005 * 2.5**power for power in range(14))
"""Seconds."""
_OWN_NAMES = {
    "RunPodSandbox": "run_podsandbox",
    "StopPodSandbox": "stop_podsandbox",
    "RemovePodSandbox": "remove_podsandbox",
    "PodSandboxStatus": "podsandbox_status",
    "ListPodSandbox": "list_podsandbox",
    "UpdateContainerResources": "update_container",
    "ReopenContainerLog": "reopen_container_log",
}


def operation_name(request: str) -> str:
    """Upstream's name of an operation by its request's type: `ListContainersRequest` is `list_containers`."""
    verb = request.removesuffix("Request")
    words = "".join(f"_{each.lower()}" if each.isupper() else each for each in verb).strip("_")
    return _OWN_NAMES.get(verb, words)


@dataclass(slots=True)
class Operation:
    errors: int = 0
    durations: Histogram = field(default_factory=lambda: Histogram(BOUNDS))


class Operations:
    def __init__(self) -> None:
        self.by_request: dict[str, Operation] = {}
        """By the name of the request's type."""

    @contextmanager
    def counted(self, request: str) -> Iterator[None]:
        operation = self.by_request.get(request)
        if operation is None:
            operation = self.by_request[request] = Operation()
        began = time.perf_counter()
        try:
            yield
        except RuntimeServiceError:
            operation.errors += 1
            raise
        finally:
            operation.durations.observe(time.perf_counter() - began)
