"""The node beside what its container runtime needs alone: pods one by one and by fifty, a liveness failure,
a ConfigMap's way into a container, an idle agent, logs and exec.

    python -m bench.node [--only PART]... [--pods N] [--rounds N] [--kubectl PROGRAM] [--json]

Starts a cluster in a fresh home, and removes it. CRI alone and the node take turns within one run.
Not here: the API server's own speed (`bench.api`).
"""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from bench import node_changes, node_pods, node_streams
from bench.cri import Runtime, runtime_of
from bench.idle import processor_seconds, resident
from bench.report import Row, show
from conformance.cluster import Cluster, started
from conformance.kubectl import Kubectl
from conformance.rest import connect
from conformance.space import Space, opened

_KUBELET = "containerLogMaxSize: 4Gi\n"
"""A log that is measured is not rotated meanwhile."""
_SETTLING, _IDLE_SECONDS = 15.0, 30.0


@dataclass(frozen=True)
class Bench:
    cluster: Cluster
    runtime: Runtime
    space: Space
    kubectl: Kubectl
    scratch: Path
    pods: int
    rounds: int

    def one(self) -> list[Row]:
        seconds = node_pods.one_pod(self.runtime, self.space, self.kubectl, rounds=5 * self.rounds)
        alone = seconds["CRI alone"]
        return [
            _times("one pod, create to Ready", seconds["API"], alone),
            _times("one pod, kubectl run to Ready", seconds["kubectl run"], alone),
        ]

    def many(self) -> list[Row]:
        seconds = node_pods.many_pods(self.runtime, self.space, self.pods, rounds=self.rounds)
        return [
            _times(f"Deployment 1 to {self.pods}, all Ready", seconds["start"], seconds["CRI start"]),
            _times(f"{self.pods} deleted, gone from the API", seconds["removal"], seconds["CRI removal"]),
        ]

    def changes(self) -> list[Row]:
        failures = node_changes.liveness(self.runtime, self.space, rounds=2 * self.rounds)
        assert self.cluster.home
        writes = node_changes.config_map(self.cluster.home, self.space, rounds=3 * self.rounds)
        return [
            _row("failed liveness probe to restart, s", failures, "0.3"),
            _row("ConfigMap write to file, s", writes, "2"),
        ]

    def idle(self) -> list[Row]:
        """The agent's processor time and memory with many pods, while nothing happens."""
        self.space.create(node_pods.deployment(self.space, 0), "deployments", group="apis/apps/v1")
        node_pods.scale(self.space, self.pods)
        time.sleep(_SETTLING)
        pid = self.cluster.pid("runtime") or 0
        before = processor_seconds(pid)
        time.sleep(_IDLE_SECONDS)
        used = (processor_seconds(pid) - before) / _IDLE_SECONDS * 100
        node_pods.scale(self.space, 0)
        return [
            _row(f"agent idle with {self.pods} pods, % of a core", [used], "1.5"),
            _row(f"agent idle with {self.pods} pods, MiB", [resident(pid)], "120"),
        ]

    def streams(self) -> list[Row]:
        kubectl, space = self.kubectl, self.space
        return [
            _row(
                "kubectl logs -f, MiB/s",
                node_streams.logs(kubectl, space, self.scratch, rounds=self.rounds),
                ">200",
            ),
            _row(
                "kubectl exec stdin, MiB/s",
                node_streams.exec_stdin(kubectl, space, self.scratch, rounds=self.rounds),
                ">100",
            ),
            _row(
                "kubectl exec stdout, MiB/s",
                node_streams.exec_stdout(kubectl, space, rounds=self.rounds),
                ">100",
            ),
        ]


PARTS: dict[str, Callable[[Bench], list[Row]]] = {
    "one": Bench.one,
    "many": Bench.many,
    "changes": Bench.changes,
    "streams": Bench.streams,
    "idle": Bench.idle,
}


def main(
    only: Annotated[list[str] | None, typer.Option(help=f"Of {', '.join(PARTS)}.")] = None,
    pods: Annotated[int, typer.Option(help="How many are started at once.")] = 50,
    rounds: Annotated[int, typer.Option(help="How often; the median counts.")] = 3,
    kubectl: Annotated[str, typer.Option(help="The kubectl.")] = "kubectl",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What the node costs beside CRI alone."""
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-node-")))
        cluster = stack.enter_context(started(directory, kubelet=_KUBELET))
        assert cluster.home
        runtime = stack.enter_context(runtime_of(cluster.home))
        space = stack.enter_context(opened(connect(cluster.kubeconfig), cluster.image))
        program = shutil.which(kubectl) or kubectl
        client = Kubectl(program, cluster.kubeconfig, directory / "cache", space.name)
        bench = Bench(cluster, runtime, space, client, directory, pods, rounds)
        rows = [row for name, part in PARTS.items() if not only or name in only for row in part(bench)]
    show({"the node, beside CRI alone": rows}, as_json=as_json)


def _times(name: str, took: list[float], alone: list[float]) -> Row:
    row = _row(name, took, "1.5 times")
    return {**row, "CRI alone": median(alone), "times": median(took) / median(alone)}


def _row(name: str, found: list[float], reach: str) -> Row:
    spread = f"{min(found):.2f} to {max(found):.2f}"
    blank: Row = {"CRI alone": "", "times": ""}
    return {"measure": name, "reach": reach, "median": median(found), "spread": spread, **blank}


if __name__ == "__main__":
    typer.run(main)
