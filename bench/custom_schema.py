"""What an ordinary custom resource costs on its way in: pruning, defaults, validation, rules.

Beside it the same object's round trip through orjson, to tell what of it is the machine.

    python -m bench.custom_schema
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import orjson

from bench.report import show
from server.schema.custom import compiled
from server.schema.decode import decode

_ROUNDS = 3000
_TEXT = {"type": "string"}
_PORT = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": _TEXT,
        "port": {"type": "integer", "minimum": 1, "maximum": 65535},
        "protocol": {"type": "string", "default": "TCP", "enum": ["TCP", "UDP"]},
    },
}
_SPEC: dict[str, Any] = {
    "type": "object",
    "required": ["image"],
    "properties": {
        "replicas": {"type": "integer", "minimum": 0, "maximum": 100, "default": 1},
        "image": {"type": "string", "minLength": 1, "pattern": "^[a-z/.-]+:[a-z0-9.]+$"},
        "mode": {"type": "string", "enum": ["Active", "Passive"], "default": "Active"},
        "ports": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": _PORT,
        },
        "env": {"type": "object", "additionalProperties": _TEXT},
        "limit": {"x-kubernetes-int-or-string": True},
    },
}
_RULES = [
    {"rule": "self.replicas > 0 || self.mode == 'Passive'"},
    {"rule": "self.ports.all(p, p.port >= 80)"},
    {"rule": "!has(self.env) || self.env.all(k, k.startsWith('A'))"},
]
_STATUS = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_OBJECT: dict[str, Any] = {
    "apiVersion": "example.com/v1",
    "kind": "App",
    "metadata": {"name": "app", "namespace": "default", "labels": {"app": "app"}},
    "spec": {
        "replicas": 3,
        "image": "registry.example.com/app:1.2",
        "ports": [{"name": "http", "port": 80}, {"name": "https", "port": 443}],
        "env": {"A": "1", "AB": "2", "ABC": "3"},
        "limit": "50%",
    },
    "status": {"phase": "Ready", "conditions": [{"type": "Ready", "status": "True"}]},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    plain = _way_in({"type": "object", "properties": {"spec": _SPEC, "status": _STATUS}})
    ruled = {**_SPEC, "x-kubernetes-validations": _RULES}
    with_rules = _way_in({"type": "object", "properties": {"spec": ruled, "status": _STATUS}})
    steps: dict[str, Callable[[], Any]] = {
        "orjson round trip": lambda: orjson.loads(orjson.dumps(_OBJECT)),
        "prune, default, validate": plain,
        "the same with three rules": with_rules,
    }
    rows: list[dict[str, str | float]] = [
        {"step": name, "microseconds": _microseconds(step)} for name, step in steps.items()
    ]
    show({"a custom resource": rows}, as_json=parser.parse_args().json)


def _way_in(schema: dict[str, Any]) -> Callable[[], Any]:
    found = compiled(schema)

    def way_in() -> None:
        obj = decode(found.struct, _OBJECT).obj
        found.default(obj)
        assert not found.validate(obj)

    return way_in


def _microseconds(step: Callable[[], Any]) -> float:
    """The best of five."""
    step()
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        for _ in range(_ROUNDS):
            step()
        times.append((time.perf_counter() - begun) / _ROUNDS * 1e6)
    return min(times)


if __name__ == "__main__":
    main()
