"""The API server under load, each measure beside the ceiling of its HTTP stack (`bench.ceiling`).

    python -m bench.api [--pods N] [--seconds S] [--rounds N] [--json]

Starts a cluster without a node in a fresh home, fills it with pods that no scheduler knows, measures, and
removes it. Everything is on: TLS, authentication, authorization, admission, managed fields, durable commits.
Needs wrk. Not here: start-up (`bench.startup`), the store alone (`bench.storage`).
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Annotated, Any

import typer
import urllib3

from bench.fan_out import FanOut, fan_out
from bench.measured import POOL, Server, cluster
from bench.report import Row, show
from bench.wrk import Load, Request, load
from conformance.image_registry import free_port

_SPACE = "/api/v1/namespaces/bench"
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


def main(
    pods: Annotated[int, typer.Option(help="Pods stored, of which a tenth has the selected label.")] = 1000,
    seconds: Annotated[float, typer.Option(help="How long each load lasts.")] = 5.0,
    rounds: Annotated[int, typer.Option(help="How often each measure is taken; the median counts.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Requests per second, watch deliveries, memory: each with the ceiling's figure and the ratio."""
    with cluster() as server:
        _fill(server, pods)
        with _ceiling(server) as ceiling:
            rows = [
                _compared(server, ceiling, name, request, seconds, rounds) for name, request in _loads(pods)
            ]
        watched = [_watched(server) for _ in range(rounds)]
        rows_of_watches = [_watch_row(max(watched, key=lambda each: each.rate))]
        memory: Row = {"resident": "idle", "MiB": server.idle_memory}
        loaded: Row = {"resident": "after all this", "MiB": server.memory()}
    show(
        {
            f"requests per second, {pods} pods": rows,
            "100 watches, 200 events": rows_of_watches,
            "memory": [memory, loaded],
        },
        as_json=as_json,
    )


@contextmanager
def _ceiling(server: Server) -> Iterator[str]:
    port, keys = free_port(), server.keys
    with tempfile.NamedTemporaryFile("w", suffix=".json") as pods:
        json.dump(server.call("GET", f"{_SPACE}/pods"), pods)
        pods.flush()
        options = ["--certificate", f"{keys}/apiserver.crt", "--key", f"{keys}/apiserver.key"]
        command = [sys.executable, "-m", "bench.ceiling", "--port", str(port), "--pods", pods.name, *options]
        process = subprocess.Popen(command)
        try:
            _await(lambda: _answers(port))
            yield f"https://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _await(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit("the ceiling's server did not start")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    try:
        return POOL.request("GET", f"https://127.0.0.1:{port}/", retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _fill(server: Server, pods: int) -> None:
    server.call("POST", "/api/v1/namespaces", {"metadata": {"name": "bench"}})
    for number in range(pods):
        server.call("POST", f"{_SPACE}/pods", _pod(f"pod-{number:06d}", group=f"g{number % 10}"))


def _pod(name: str, *, group: str) -> dict[str, Any]:
    """A pod of the size that real clusters hold; no scheduler is called nobody, so it stays where it is."""
    return {
        "metadata": {
            "name": name,
            "labels": {"app": "bench", "group": group, "tier": "backend"},
            "annotations": {"example.org/owner": "team-a", "example.org/note": "x" * 120},
        },
        "spec": {
            "schedulerName": "nobody",
            "automountServiceAccountToken": False,
            "containers": [
                {
                    "name": "main",
                    "image": "registry.example.org/team/app:1.2.3",
                    "command": ["/bin/app", "--listen=:8080", "--verbose"],
                    "env": [{"name": f"SETTING_{i}", "value": f"value-{i}"} for i in range(6)],
                    "ports": [{"containerPort": 8080, "name": "http"}],
                    "resources": {
                        "requests": {"cpu": "10m", "memory": "16Mi"},
                        "limits": {"memory": "64Mi"},
                    },
                }
            ],
        },
    }


def _loads(pods: int) -> list[tuple[str, Request]]:
    path = f"{_SPACE}/pods"
    return [
        ("GET a pod", Request(f"{path}/pod-000007", 16)),
        ("LIST all", Request(path, 4)),
        ("LIST a tenth by label", Request(f"{path}?labelSelector=group%3Dg3", 4)),
        ("Table of 500", Request(f"{path}?limit=500", 4, headers={"Accept": _TABLE})),
        ("POST a pod", Request(path, 16, {"Content-Type": "application/json"}, _creations())),
        ("PATCH a pod", Request(path, 16, script=_patches(pods))),
    ]


def _creations() -> str:
    template = json.dumps(_pod("NAME", group="created"))
    return f"""
wrk.method = "POST"
local n, template = 0, '{template}'
local run = os.time() .. "-" .. tostring({{}}):sub(-6)
function request() n = n + 1; return wrk.format(nil, nil, nil, (template:gsub("NAME", run .. "-" .. n))) end
"""


def _patches(pods: int) -> str:
    return f"""
wrk.method = "PATCH"
wrk.headers["Content-Type"] = "application/strategic-merge-patch+json"
local n, touched = 0, os.time()
function request()
  n = n + 1
  local body = '{{"metadata":{{"labels":{{"touched":"n' .. touched .. n .. '"}}}}}}'
  return wrk.format(nil, string.format("%s/pod-%06d", wrk.path, n % {pods}), nil, body)
end
"""


def _compared(server: Server, ceiling: str, name: str, request: Request, seconds: float, rounds: int) -> Row:
    """In turn, so that both meet the same moods of the machine."""
    ours: list[Load] = []
    bare: list[Load] = []
    for _ in range(rounds):
        bare.append(load(ceiling, server.token, request, seconds=seconds))
        ours.append(load(server.url, server.token, request, seconds=seconds))
    rate, top = median(each.rate for each in ours), median(each.rate for each in bare)
    return {
        "measure": name,
        "ours": rate,
        "ceiling": top,
        "ratio": rate / top,
        "p50 ms": median(each.p50 for each in ours),
        "p99 ms": median(each.p99 for each in ours),
    }


def _watched(server: Server) -> FanOut:
    version = server.call("GET", f"{_SPACE}/configmaps?limit=1")["metadata"]["resourceVersion"]
    path = f"{_SPACE}/configmaps?watch=1&resourceVersion={version}&timeoutSeconds=300"
    run = f"fan-{time.time_ns()}"

    def write(number: int) -> None:
        body = {"metadata": {"name": f"{run}-{number}"}, "data": {"k": "v" * 512}}
        server.call("POST", f"{_SPACE}/configmaps", body)

    return asyncio.run(fan_out(server.url, server.token, path, watchers=100, events=200, write=write))


def _watch_row(found: FanOut) -> Row:
    return {
        "measure": "watch",
        "deliveries/s": found.rate,
        "lost": float(found.lost),
        "p50 ms": found.p50,
        "p99 ms": found.p99,
    }


if __name__ == "__main__":
    typer.run(main)
