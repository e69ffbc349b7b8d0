"""How fast the node follows what happens to a pod: a liveness failure, a changed ConfigMap.

Not here: the table (`bench.node`).
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bench.cri import Runtime
from conformance import pods
from conformance.space import Space

_LOOK = 0.005


class Answers:
    """Answers probes: 200, or 500 once it is told to; says when it did so first."""

    def __init__(self, address: str, port: int) -> None:
        self.address, self.port = address, port
        self.failing = False
        self.failed_at = 0.0

    def status(self) -> int:
        if not self.failing:
            return 200
        self.failed_at = self.failed_at or time.time()
        return 500


@contextmanager
def answering(address: str) -> Iterator[Answers]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answers.status())
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer((address, 0), Handler)
    answers = Answers(address, server.server_port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield answers
    finally:
        server.shutdown()
        server.server_close()


def liveness(runtime: Runtime, space: Space, *, rounds: int) -> list[float]:
    """Seconds from the answer that fails the probe to the start of the container's next instance."""
    seconds = []
    for number in range(rounds):
        name = f"live-{number}"
        address = space.rest.get("/api/v1/nodes")["items"][0]["status"]["addresses"][0]["address"]
        with answering(address) as answers:
            get = {"host": answers.address, "port": answers.port, "path": "/"}
            probe = {"httpGet": get, "periodSeconds": 1, "failureThreshold": 1}
            space.run_ready(name, container={"livenessProbe": probe}, restartPolicy="Always")
            answers.failing = True
            pod = space.until(
                name, lambda pod: pods.status_of(pod)["restartCount"] == 1, what="has restarted"
            )
            answers.failing = False
        identity = pods.status_of(pod)["containerID"].partition("://")[2]
        seconds.append(runtime.started_at(identity) - answers.failed_at)
        space.remove_pod(name)
    return seconds


def config_map(home: Path, space: Space, *, rounds: int) -> list[float]:
    """Seconds from before the write until the file, which the container has mounted, shows it."""
    space.config_map("changing", key="0")
    volume = {"name": "v", "configMap": {"name": "changing"}}
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    pod = space.run_ready("follower", container=mounts, volumes=[volume])
    file = (
        home / "node" / "pods" / pod["metadata"]["uid"] / "volumes" / "kubernetes.io~configmap" / "v" / "key"
    )
    seconds = []
    for number in range(1, rounds + 1):
        began = time.perf_counter()
        space.rest.patch(space.path("configmaps", "changing"), {"data": {"key": str(number)}})
        while file.read_text() != str(number):
            time.sleep(_LOOK)
        seconds.append(time.perf_counter() - began)
    space.remove_pod("follower")
    return seconds
