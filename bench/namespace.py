"""How long it takes until what is deleted is gone: namespaces, collections, definitions, dependents.

    python -m bench.namespace [--objects N] [--instances N] [--rounds N] [--json]

Starts a cluster without a node in a fresh home, and removes it. The reference is the same number of config
maps deleted by as many requests, sixteen at a time.
Not here: pods that take their time to end.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Annotated, Any

import typer
import urllib3

from bench.measured import Server, cluster
from bench.namespace_objects import objects as objects_of
from bench.report import Row, show

_AT_ONCE = 16
_NAMESPACES, _DEFINITIONS = "/api/v1/namespaces", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_WIDGETS = "/apis/bench.example.com/v1/namespaces/default/widgets"
_MAPS = "/api/v1/namespaces/default/configmaps"
_POOL = urllib3.PoolManager(cert_reqs="CERT_NONE", assert_hostname=False, maxsize=_AT_ONCE)


def main(
    objects: Annotated[int, typer.Option(help="Objects in a namespace, of twenty kinds.")] = 1000,
    instances: Annotated[int, typer.Option(help="Objects in a collection, of a definition, owned.")] = 10_000,
    rounds: Annotated[int, typer.Option(help="How often each is measured; the median counts.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Seconds from the request to the last object's end, and objects per second."""
    with cluster() as server:
        bench = Bench(server)
        rows = [
            _row("namespace of 20 kinds", objects, [bench.namespace(objects) for _ in range(rounds)]),
            _row("reference, one by one", objects, [bench.one_by_one(objects) for _ in range(rounds)]),
            _row("collection", instances, [bench.collection(instances)]),
            _row("definition's instances", instances, [bench.definition(instances)]),
            _row("dependents of one owner", instances, [bench.dependents(instances)]),
        ]
    show({"until it is gone": rows}, as_json=as_json)


def _row(name: str, count: int, seconds: list[float]) -> Row:
    took = median(seconds)
    return {"deleted": name, "objects": str(count), "s": took, "objects/s": count / took}


class Bench:
    """Each measure fills the server with what it then deletes."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def namespace(self, count: int) -> float:
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "bench"}}
        self._server.call("POST", _NAMESPACES, space)
        self._fill(objects_of("bench", count))
        return self._timed(lambda: self._delete(f"{_NAMESPACES}/bench"), f"{_NAMESPACES}/bench")

    def one_by_one(self, count: int) -> float:
        self._fill(_maps(count))
        began = time.perf_counter()
        self._at_once(lambda number: self._delete(f"{_MAPS}/m{number}"), range(count))
        return time.perf_counter() - began

    def collection(self, count: int) -> float:
        self._fill(_maps(count, labels={"bench": "yes"}))
        began = time.perf_counter()
        self._delete(f"{_MAPS}?labelSelector=bench")
        return time.perf_counter() - began

    def definition(self, count: int) -> float:
        self._server.call("POST", _DEFINITIONS, _definition())
        while self._status("GET", _WIDGETS) != 200:
            time.sleep(0.05)
        self._fill((_WIDGETS, _widget(number)) for number in range(count))
        name = f"{_DEFINITIONS}/widgets.bench.example.com"
        return self._timed(lambda: self._delete(name), name)

    def dependents(self, count: int) -> float:
        owner = self._server.call("POST", _MAPS, next(_maps(1, prefix="owner"))[1])
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner0", "blockOwnerDeletion": True}
        reference["uid"] = owner["metadata"]["uid"]
        self._fill(_maps(count, ownerReferences=[reference]))
        path = f"{_MAPS}/owner0"
        return self._timed(lambda: self._delete(f"{path}?propagationPolicy=Foreground"), path)

    def _fill(self, wanted: Iterable[tuple[str, Any]]) -> None:
        self._at_once(lambda each: self._status("POST", *each), wanted, expected=201)

    def _at_once(self, act: Callable[[Any], int], items: Iterable[Any], *, expected: int = 200) -> None:
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            for status in threads.map(act, items):
                if status != expected:
                    raise SystemExit(f"answered with {status}")

    def _timed(self, act: Callable[[], object], path: str) -> float:
        """Seconds until a GET of the path finds nothing; the polls are part of the load."""
        began = time.perf_counter()
        act()
        while self._status("GET", path) != 404:
            time.sleep(0.01)
            if time.perf_counter() - began > 300:
                raise SystemExit(f"{path} does not go")
        return time.perf_counter() - began

    def _delete(self, path: str) -> int:
        return self._status("DELETE", path)

    def _status(self, method: str, path: str, body: Any = None) -> int:
        headers = {"Authorization": f"Bearer {self._server.token}"}
        return _POOL.request(method, self._server.url + path, json=body, headers=headers).status


def _maps(count: int, *, prefix: str = "m", **metadata: Any) -> Iterator[tuple[str, Any]]:
    for number in range(count):
        own = {"name": f"{prefix}{number}", **metadata}
        yield _MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": own, "data": {"a": "b"}}


def _widget(number: int) -> Any:
    kind = {"apiVersion": "bench.example.com/v1", "kind": "Widget"}
    return {**kind, "metadata": {"name": f"w{number}"}, "spec": {"size": number}}


def _definition() -> Any:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "widgets", "kind": "Widget"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.bench.example.com"},
        "spec": {"group": "bench.example.com", "scope": "Namespaced", "names": names, "versions": [version]},
    }


if __name__ == "__main__":
    typer.run(main)
