"""How long a Deployment takes from one pod to a thousand that are Ready, and what a GET costs meanwhile.

    python -m bench.deployment [--nodes N] [--pods N] [--rounds N] [--apart] [--json]

Starts a cluster of virtual nodes in a fresh home, and removes it. The reference for the GETs is the same
client at the same pace before anything happens. With --apart controllers and scheduler are processes of their
own, which speak to the server over HTTP.
Not here: real containers.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from statistics import median, quantiles
from typing import Annotated, Any

import typer
import urllib3

from bench.apart import loops_apart
from bench.measured import Server, cluster
from bench.report import Row, show

_DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"
_PODS = "/api/v1/namespaces/default/pods"
_PACE = 0.005
"""Seconds between two GETs."""
_LOOK = 0.02
_QUIET_SECONDS = 3.0


def main(
    nodes: Annotated[int, typer.Option(help="Virtual nodes.")] = 100,
    pods: Annotated[int, typer.Option(help="Pods that the Deployment grows to.")] = 1000,
    rounds: Annotated[int, typer.Option(help="How often it grows; the median counts.")] = 3,
    apart: Annotated[bool, typer.Option("--apart", help="Control loops in their own processes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Seconds until all are Ready and until all are gone; milliseconds of a GET."""
    with cluster(virtual_nodes=nodes) as server, loops_apart(server) if apart else nullcontext():
        bench = Bench(server)
        bench.create()
        with bench.gets() as quiet:
            time.sleep(_QUIET_SECONDS)
        grown, shrunk, busy = [], [], list[float]()
        for _ in range(rounds):
            with bench.gets() as latencies:
                grown.append(bench.scale(pods))
            busy += latencies
            shrunk.append(bench.scale(1))
        rows: list[Row] = [
            {"Deployment": f"1 to {pods} Ready", "s": median(grown), "slowest": max(grown)},
            {"Deployment": f"{pods} to 1", "s": median(shrunk), "slowest": max(shrunk)},
        ]
    show(
        {f"{nodes} nodes": rows, "GET of a pod, ms": [_row("quiet", quiet), _row("growing", busy)]},
        as_json=as_json,
    )


def _row(name: str, seconds: list[float]) -> Row:
    cuts = quantiles(seconds, n=1000)
    return {
        "while": name,
        "p50": cuts[499] * 1000,
        "p99": cuts[989] * 1000,
        "worst": max(seconds) * 1000,
        "GETs": str(len(seconds)),
    }


class Bench:
    def __init__(self, server: Server) -> None:
        self._server = server

    def create(self) -> None:
        """With one pod, which is Ready."""
        labels = {"app": "bench"}
        spec = {"containers": [{"name": "c", "image": "registry.example/c:1"}]}
        template = {"metadata": {"labels": labels}, "spec": spec}
        said = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
        made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "bench"}, "spec": said}
        _patiently(lambda: self._server.call("GET", "/api/v1/namespaces/default/serviceaccounts/default"))
        self._server.call("POST", _DEPLOYMENTS, made)
        self._until(1)

    def scale(self, pods: int) -> float:
        """Seconds until so many are Ready, and no others are there."""
        began = time.perf_counter()
        scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "spec": {"replicas": pods}}
        metadata = {"name": "bench", "namespace": "default"}
        self._server.call("PUT", f"{_DEPLOYMENTS}/bench/scale", {**scale, "metadata": metadata})
        self._until(pods)
        return time.perf_counter() - began

    @contextmanager
    def gets(self) -> Iterator[list[float]]:
        """Seconds of each GET of a pod, one after the other at an even pace, until the block ends."""
        pod = self._server.call("GET", f"{_PODS}?limit=1")["items"][0]["metadata"]["name"]
        seconds, ended = list[float](), threading.Event()
        thread = threading.Thread(target=self._get, args=(f"{_PODS}/{pod}", seconds, ended))
        thread.start()
        try:
            yield seconds
        finally:
            ended.set()
            thread.join()

    def _get(self, path: str, seconds: list[float], ended: threading.Event) -> None:
        pool = urllib3.PoolManager(cert_reqs="CERT_NONE", assert_hostname=False)
        headers = {"Authorization": f"Bearer {self._server.token}"}
        while not ended.wait(_PACE):
            began = time.perf_counter()
            answer = pool.request("GET", self._server.url + path, headers=headers)
            if answer.status == 200:
                seconds.append(time.perf_counter() - began)

    def _until(self, pods: int) -> None:
        began = time.perf_counter()
        while not self._has(pods):
            time.sleep(_LOOK)
            if time.perf_counter() - began > 120:
                raise SystemExit(f"there are not {pods} pods after two minutes")

    def _has(self, pods: int) -> bool:
        status = self._server.call("GET", f"{_DEPLOYMENTS}/bench").get("status", {})
        counts = ("replicas", "readyReplicas", "terminatingReplicas")
        return [status.get(name, 0) for name in counts] == [pods, pods, 0]


def _patiently(act: Callable[[], Any]) -> None:
    for _ in range(100):
        try:
            act()
        except SystemExit:
            time.sleep(0.05)
        else:
            return
    act()


if __name__ == "__main__":
    typer.run(main)
