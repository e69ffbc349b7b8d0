"""What a question to the authorizers costs, with many bindings, and what it costs when they change.

    python -m bench.authorization [--bindings N] [--json]

Users have a role or two of their own beside those that everyone has, as in a cluster; the store is real.
The reference is the JSON of the answer to a SubjectAccessReview, written once.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from statistics import median
from typing import Annotated, Any

import orjson
import typer
import uvloop

from bench.report import Row, show
from kubeling.objects.clock import SystemClock
from kubeling.objects.meta import Object
from server.auth.attributes import Attributes
from server.auth.authorization import Authorization
from server.auth.identities import authenticated
from server.auth.policy.defaults import GROUP, defaults
from server.auth.policy.rule_text import rules
from server.registry.context import UserInfo
from server.storage import Store

REPEATS = 20_000
ROUNDS = 5
PODS = 10_000
_AT_ONCE = 500


def main(
    bindings: Annotated[int, typer.Option(help="RoleBindings and ClusterRoleBindings.")] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Microseconds per question."""
    with tempfile.TemporaryDirectory(prefix="bench-authorization-") as place:
        rows = uvloop.run(_measure(f"sqlite:///{place}/bench.db", bindings))
    show({f"{bindings} bindings": rows}, as_json=as_json)


async def _measure(url: str, bindings: int) -> list[Row]:
    store = await Store.open(url, clock=SystemClock())
    for plural, namespace, obj in _objects(bindings):
        await store.create(f"{plural}.{GROUP}", namespace, obj["metadata"]["name"], obj)
    for first in range(0, PODS, _AT_ONCE):
        await asyncio.gather(*(_create_pod(store, number) for number in range(first, first + _AT_ONCE)))
    authorization = Authorization.standard(store)
    rows = [
        _row("reference: one answer as JSON", _one_answer),
        *(_row(name, partial(authorization.decide, asked)) for name, asked in _questions()),
        _row("users by turns, 200 of them", _by_turns(authorization)),
    ]
    rows.append(await _after_changes(store, authorization))
    await store.close()
    return rows


async def _create_pod(store: Store, number: int) -> None:
    metadata = {"name": f"p{number}", "namespace": "default"}
    volumes = [{"name": "v", "secret": {"secretName": f"s{number}"}}]
    spec = {"nodeName": f"n{number % 100}", "serviceAccountName": "default", "volumes": volumes}
    await store.create("pods", "default", f"p{number}", {"metadata": metadata, "spec": spec})


def _objects(bindings: int) -> Iterable[tuple[str, str, Object]]:
    for each in defaults():
        yield each.plural, each.namespace, each.obj
    for number in range(bindings):
        name, namespace = f"r{number}", f"ns{number % 50}" if number % 2 else ""
        role = {"kind": "ClusterRole", "metadata": {"name": name}}
        yield "clusterroles", "", role | {"rules": rules(["get list watch : core apps : pods deployments"])}
        plural = "rolebindings" if namespace else "clusterrolebindings"
        reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": name}
        subjects = [{"kind": "User", "name": f"user{number}", "apiGroup": GROUP}]
        metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
        yield plural, namespace, {"metadata": metadata, "roleRef": reference, "subjects": subjects}


def _questions() -> Iterable[tuple[str, Attributes]]:
    def pod(user: UserInfo, verb: str) -> Attributes:
        return Attributes(user, verb, resource="pods", namespace="ns1", name="p")

    user = authenticated("user1", groups=("team", "other"))
    yield "allowed by a RoleBinding", pod(user, "get")
    yield "refused", pod(user, "delete")
    yield "allowed a path", Attributes(user, "get", is_resource=False, path="/apis/apps/v1")
    manager = authenticated("system:kube-controller-manager")
    yield "a controller's informer", Attributes(manager, "watch", resource="pods")
    yield "a superuser", pod(authenticated("admin", groups=("system:masters",)), "get")
    node = authenticated("system:node:n1", groups=("system:nodes",))
    for title, name in (("a pod of the node has", f"s{PODS - 99}"), ("no pod of the node has", "s2")):
        asked = Attributes(node, "get", resource="secrets", namespace="default", name=name)
        yield f"a secret that {title}, of {PODS} pods", asked
    yield (
        "a node's own lease",
        Attributes(
            node,
            "update",
            group="coordination.k8s.io",
            resource="leases",
            namespace="kube-node-lease",
            name="n1",
        ),
    )


def _by_turns(authorization: Authorization) -> Callable[[], Any]:
    asked = [
        Attributes(authenticated(f"user{number}"), "get", resource="pods", namespace="ns1", name="p")
        for number in range(200)
    ]
    turn = iter(range(10**9))
    return lambda: authorization.decide(asked[next(turn) % 200])


def _one_answer() -> bytes:
    return orjson.dumps({"status": {"allowed": True, "reason": 'RBAC: allowed by ClusterRoleBinding "x"'}})


def _row(name: str, call: Callable[[], Any]) -> Row:
    call()
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(REPEATS):
            call()
        times.append((time.perf_counter() - started) / REPEATS * 1e6)
    return {"question": name, "us": median(times)}


async def _after_changes(store: Store, authorization: Authorization) -> Row:
    """The first question after a write of a binding: the index catches up, one user's rules are gathered."""
    asked = Attributes(authenticated("user1"), "get", resource="pods", namespace="ns1", name="p")
    times = []
    for number in range(50):
        metadata = {"name": f"new{number}", "namespace": "ns1"}
        reference = {"apiGroup": GROUP, "kind": "ClusterRole", "name": "r1"}
        binding: Object = {"metadata": metadata, "roleRef": reference, "subjects": []}
        await store.create(f"rolebindings.{GROUP}", "ns1", f"new{number}", binding)
        started = time.perf_counter()
        authorization.decide(asked)
        times.append((time.perf_counter() - started) * 1e6)
    return {"question": "the first one after a binding was written", "us": median(times)}


if __name__ == "__main__":
    typer.run(main)
