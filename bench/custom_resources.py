"""Custom resources beside ConfigMaps of the same size, in turn in one run: what a definition costs.

    python -m bench.custom_resources [--objects N] [--seconds S] [--rounds N] [--json]

The custom kind has a schema with types, a pattern, an enumeration, a list by key and defaults for what every
object has already: nothing is to do on read. Needs wrk. Not here: schemas alone (`bench.custom_schema`).
"""

import asyncio
import json
import time
from statistics import median
from typing import Annotated, Any

import typer

from bench.fan_out import FanOut, fan_out
from bench.measured import Server, cluster
from bench.report import Row, show
from bench.wrk import Load, Request, load

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_CUSTOM = "/apis/bench.example.com/v1/namespaces/bench/apps"
_BUILT_IN = "/api/v1/namespaces/bench/configmaps"
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
_TEXT = {"type": "string"}
_SPEC = {
    "type": "object",
    "required": ["image"],
    "properties": {
        "image": {"type": "string", "minLength": 1, "pattern": "^[a-z/.-]+:[a-z0-9.]+$"},
        "mode": {"type": "string", "enum": ["Active", "Passive"], "default": "Active"},
        "replicas": {"type": "integer", "minimum": 0, "default": 1},
        "ports": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {"name": _TEXT, "port": {"type": "integer"}},
            },
        },
        "settings": {"type": "object", "additionalProperties": _TEXT},
    },
}
_RULES = [{"rule": "self.replicas > 0 || self.mode == 'Passive'"}]


def main(
    objects: Annotated[int, typer.Option(help="Objects stored of each kind.")] = 1000,
    seconds: Annotated[float, typer.Option(help="How long each load lasts.")] = 3.0,
    rounds: Annotated[int, typer.Option(help="How often each measure is taken; the median counts.")] = 3,
    rules: Annotated[bool, typer.Option(help="With a rule in CEL.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Requests per second of both kinds, and the ratio."""
    with cluster() as server:
        _fill(server, objects, rules=rules)
        rows = [_compared(server, *each, seconds=seconds, rounds=rounds) for each in _loads(objects)]
        watched = {path: _watched(server, path) for path in (_CUSTOM, _BUILT_IN)}
    ours, built_in = watched[_CUSTOM].rate, watched[_BUILT_IN].rate
    rows.append(_row("100 watches, deliveries/s", ours, built_in))
    show({f"custom resources, {objects} objects": rows}, as_json=as_json)


def _definition(*, rules: bool) -> dict[str, Any]:
    spec = {**_SPEC, "x-kubernetes-validations": _RULES} if rules else _SPEC
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}},
    }
    return {
        "metadata": {"name": "apps.bench.example.com"},
        "spec": {
            "group": "bench.example.com",
            "scope": "Namespaced",
            "names": {"plural": "apps", "kind": "App"},
            "versions": [version],
        },
    }


def _fill(server: Server, objects: int, *, rules: bool) -> None:
    server.call("POST", "/api/v1/namespaces", {"metadata": {"name": "bench"}})
    server.call("POST", _CRDS, _definition(rules=rules))
    time.sleep(0.5)
    for number in range(objects):
        for path, make in ((_CUSTOM, _app), (_BUILT_IN, _config_map)):
            server.call("POST", path, make(f"object-{number:06d}"))


def _metadata(name: str) -> dict[str, Any]:
    annotations = {"example.org/owner": "team-a", "example.org/note": "x" * 120}
    return {"name": name, "labels": {"app": "bench", "tier": "backend"}, "annotations": annotations}


def _settings() -> dict[str, str]:
    return {f"setting-{number}": f"value-{number}" for number in range(12)}


def _app(name: str) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80}, {"name": "https", "port": 443}]
    spec = {"image": "registry.example.com/app:1.2", "mode": "Active", "replicas": 1, "ports": ports}
    return {
        "apiVersion": "bench.example.com/v1",
        "kind": "App",
        "metadata": _metadata(name),
        "spec": {**spec, "settings": _settings()},
    }


def _config_map(name: str) -> dict[str, Any]:
    data = {
        "image": "registry.example.com/app:1.2",
        "mode": "Active",
        "replicas": "1",
        "ports": "80 443 " * 36,
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(name),
        "data": {**data, **_settings()},
    }


def _loads(objects: int) -> list[tuple[str, Request, Request]]:
    def pair(suffix: str, connections: int, **more: Any) -> tuple[Request, Request]:
        return Request(_CUSTOM + suffix, connections, **more), Request(
            _BUILT_IN + suffix, connections, **more
        )

    creations = [
        Request(path, 16, {"Content-Type": "application/json"}, _creations(make("NAME")))
        for path, make in ((_CUSTOM, _app), (_BUILT_IN, _config_map))
    ]
    return [
        ("GET", *pair("/object-000007", 16)),
        ("LIST all", *pair("", 4)),
        ("Table of 500", *pair("?limit=500", 4, headers={"Accept": _TABLE})),
        ("PATCH (merge)", *pair("", 16, script=_patches(objects))),
        ("POST", creations[0], creations[1]),
    ]


def _creations(template: dict[str, Any]) -> str:
    return f"""
wrk.method = "POST"
local n, template = 0, '{json.dumps(template)}'
local run = os.time() .. "-" .. tostring({{}}):sub(-6)
function request() n = n + 1; return wrk.format(nil, nil, nil, (template:gsub("NAME", run .. "-" .. n))) end
"""


def _patches(objects: int) -> str:
    return f"""
wrk.method = "PATCH"
wrk.headers["Content-Type"] = "application/merge-patch+json"
local n, touched = 0, os.time()
function request()
  n = n + 1
  local body = '{{"metadata":{{"labels":{{"touched":"n' .. touched .. n .. '"}}}}}}'
  return wrk.format(nil, string.format("%s/object-%06d", wrk.path, n % {objects}), nil, body)
end
"""


def _compared(
    server: Server, name: str, custom: Request, built_in: Request, *, seconds: float, rounds: int
) -> Row:
    """In turn, so that both meet the same moods of the machine."""
    ours: list[Load] = []
    theirs: list[Load] = []
    for _ in range(rounds):
        theirs.append(load(server.url, server.token, built_in, seconds=seconds))
        ours.append(load(server.url, server.token, custom, seconds=seconds))
    return _row(name, median(each.rate for each in ours), median(each.rate for each in theirs))


def _row(name: str, custom: float, built_in: float) -> Row:
    return {"measure": name, "custom": custom, "ConfigMap": built_in, "ratio": custom / built_in}


def _watched(server: Server, path: str) -> FanOut:
    version = server.call("GET", f"{path}?limit=1")["metadata"]["resourceVersion"]
    watch = f"{path}?watch=1&resourceVersion={version}&timeoutSeconds=300"
    run, make = f"fan-{time.time_ns()}", _app if path == _CUSTOM else _config_map

    def write(number: int) -> None:
        server.call("POST", path, make(f"{run}-{number}"))

    return asyncio.run(fan_out(server.url, server.token, watch, watchers=100, events=200, write=write))


if __name__ == "__main__":
    typer.run(main)
