"""What keeping managedFields costs a write, beside the JSON of the same pod, in one run.

Not here: the rest of a write. `bench.api` measures whole requests.
"""

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from bench.report import show
from server.registry import ownership
from server.registry.ownership import APPLY, UPDATE, Owner
from server.registry.ownership_apply import Application, apply
from server.registry.ownership_writes import Reset
from server.schema.apply import compare
from server.schema.apply.compare import plan_for
from server.schema.apply.field_set import LEAF
from server.schema.types import struct_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
STATUS = frozenset({"status"})
Pod = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=5000)
    asked = parser.parse_args()
    reference = _microseconds(_json, rounds=asked.rounds)
    rows: list[dict[str, str | float]] = [
        {"write": name, "us": spent, "of the JSON": spent / reference}
        for name, spent in (
            ("(JSON of the pod, encoded and decoded)", reference),
            ("create a pod", _microseconds(_create, rounds=asked.rounds)),
            ("patch its image and a label", _microseconds(_patch, rounds=asked.rounds)),
            ("patch, with eight other owners", _microseconds(_patch_among_others, rounds=asked.rounds)),
            ("apply its configuration again", _microseconds(_apply, rounds=asked.rounds)),
        )
    ]
    show({"managedFields, microseconds per write": rows}, as_json=asked.json)


def _microseconds(action: Callable[[], object], *, rounds: int) -> float:
    """The best of five passes: what others do on the machine only makes it slower."""
    action()
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(rounds // 5):
            action()
        best = min(best, time.perf_counter() - started)
    return best / (rounds // 5) * 1e6


def _pod(image: str = "registry/image:1", **labels: str) -> Pod:
    container = {
        "name": "app",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "terminationMessagePath": "/dev/termination-log",
        "terminationMessagePolicy": "File",
        "ports": [{"name": "http", "containerPort": 80, "protocol": "TCP"}],
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
        "volumeMounts": [{"name": "data", "mountPath": "/data"}],
    }
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"name": "a", "namespace": "default", "uid": "u", "labels": {"app": "a", **labels}},
        "spec": {
            "containers": [container],
            "volumes": [{"name": "data", "emptyDir": {}}],
            "restartPolicy": "Always",
            "terminationGracePeriodSeconds": 30,
            "dnsPolicy": "ClusterFirst",
            "securityContext": {},
            "schedulerName": "default-scheduler",
            "enableServiceLinks": True,
        },
        "status": {"phase": "Pending", "qosClass": "Burstable"},
    }


PLAN = plan_for(struct_of("", "v1", "Pod"))
OLD, NEW = _pod(), _pod("registry/image:2", tier="web")
OWNER = Owner("client", UPDATE, "v1")


def _entries_of(obj: Pod, manager: str) -> list[ownership.Entry]:
    fields = compare.created(PLAN, obj, STATUS, go_type=True)
    return ownership.created(fields, Owner(manager, UPDATE, "v1"), NOW)


ONE = _entries_of(OLD, "maker")
MANY = [entry for number in range(8) for entry in _entries_of(OLD, f"maker-{number}")]


def _json() -> object:
    return orjson.loads(orjson.dumps(OLD))


def _create() -> object:
    return ownership.created(compare.created(PLAN, OLD, STATUS, go_type=True), OWNER, NOW)


def _patch(entries: list[ownership.Entry] = ONE) -> object:
    found = compare.changes(PLAN, OLD, NEW, STATUS)
    return ownership.updated(entries, lambda _: found, OWNER, ignored=LEAF, now=NOW)


def _patch_among_others() -> object:
    return _patch(MANY)


def _apply() -> object:
    live = {**OLD, "metadata": {**OLD["metadata"], "managedFields": APPLIED}}
    return apply(_application(live))


def _application(live: Pod) -> Application:
    own = {"name": "a", "labels": OLD["metadata"]["labels"]}
    config = {"apiVersion": "v1", "kind": "Pod", "metadata": own, "spec": OLD["spec"]}
    owner = Owner("applier", APPLY, "v1")
    return Application(PLAN, True, live, config, owner, False, Reset(STATUS, LEAF), NOW)


APPLIED = apply(_application({**OLD, "metadata": {"name": "a"}})).entries

if __name__ == "__main__":
    main()
