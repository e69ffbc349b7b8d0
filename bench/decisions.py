"""Microseconds of one scheduling decision, by kind of pod and number of nodes: what one more node costs.

    python -m bench.decisions [--nodes 100 1000 5000] [--pods 500] [--json]

Nothing is written: a pod is decided about and assumed on its node, as the scheduler does between two
bindings. The reference of the same run is the time for looking once at each of as many nodes as are
compared (a filter that says yes).
"""

import argparse
import asyncio
import time
from collections.abc import Callable

from bench.report import Row, show
from kubeling.client.fake import FakeClient
from kubeling.objects.clock import FakeClock
from kubeling.objects.meta import Object
from server.scheduler.cluster_state import ClusterState
from server.scheduler.configuration import standard
from server.scheduler.cycle import Cycle, best, to_find
from server.scheduler.handles import Handles
from server.scheduler.nominations import Nominations
from server.scheduler.pod_info import PodInfo
from server.scheduler.profile import Profile
from server.scheduler.profiles import made_profiles

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
LABELS = {"app": "bench"}
TERM = {"topologyKey": HOST, "labelSelector": {"matchLabels": LABELS}}


def _pod(name: str, memory: str = "16Mi", **spec: object) -> Object:
    container = {"name": "c", "image": "busybox", "resources": {"requests": {"cpu": "10m", "memory": memory}}}
    meta = {"name": name, "namespace": "ns", "uid": name, "labels": LABELS}
    return {"kind": "Pod", "metadata": meta, "spec": {"containers": [container], **spec}}


def _replica(number: int) -> Object:
    return _pod(f"p{number}")


def _unlike_others(number: int) -> Object:
    return _pod(f"p{number}", memory=f"{16 * 2**20 + number}")


def _kept_apart(number: int) -> Object:
    weighted = [{"weight": 100, "podAffinityTerm": TERM}]
    affinity = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": weighted}}
    return _pod(f"p{number}", affinity=affinity)


def _spread(number: int, when: str, *keys: str) -> Object:
    constraints = [{**TERM, "topologyKey": key, "maxSkew": 1, "whenUnsatisfiable": when} for key in keys]
    return _pod(f"p{number}", topologySpreadConstraints=constraints)


KINDS: dict[str, Callable[[int], Object]] = {
    "a replica of others": _replica,
    "unlike any other": _unlike_others,
    "preferred anti-affinity": _kept_apart,
    "spread, softly": lambda number: _spread(number, "ScheduleAnyway", HOST, ZONE),
    "spread, strictly": lambda number: _spread(number, "DoNotSchedule", HOST),
}


def _cluster(nodes: int) -> ClusterState:
    cluster = ClusterState()
    for number in range(nodes):
        labels = {HOST: f"n{number}", ZONE: f"z{number % 3}"}
        offers = {"cpu": "64", "memory": "256Gi", "pods": "1000"}
        node: Object = {
            "metadata": {"name": f"n{number}", "labels": labels},
            "status": {"allocatable": offers},
        }
        cluster.put_node(node)
    return cluster


def _decisions(profile: Profile, nodes: int, pods: list[PodInfo]) -> float:
    """Microseconds per pod, of a profile that knows nothing yet."""
    cluster, nominations, start = _cluster(nodes), Nominations(), 0
    begin = time.process_time()
    for pod in pods:
        cycle = Cycle(profile, pod, cluster, nominations)
        found = cycle.feasible(start)
        start = (start + cycle.looked_at) % nodes
        cluster.assume(pod, best(found, cycle.scores(found)).name)
    return (time.process_time() - begin) / len(pods) * 1e6


def _looks(nodes: int) -> float:
    """Microseconds for a look at as many nodes as are compared."""
    states, rounds = _cluster(nodes).nodes[: to_find(nodes, None)], 200
    begin = time.process_time()
    for _ in range(rounds):
        assert all(map(_yes, states))
    return (time.process_time() - begin) / rounds * 1e6


def _yes(_: object) -> bool:
    return True


def _profile(handles: Handles) -> Profile:
    return made_profiles(standard(), handles)["default-scheduler"]


async def measure(node_counts: list[int], pods: int) -> list[Row]:
    client = FakeClient()
    handles = Handles.of(client, FakeClock())
    rows: list[Row] = [
        {"pods": "reference: a look", **{f"{each} nodes": _looks(each) for each in node_counts}}
    ]
    for kind, make in KINDS.items():
        times = {
            f"{each} nodes": _decisions(
                _profile(handles), each, [PodInfo(make(number)) for number in range(pods)]
            )
            for each in node_counts
        }
        rows.append({"pods": kind, **times})
    await client.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--pods", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = asyncio.run(measure(options.nodes, options.pods))
    show({"microseconds per decision": rows}, as_json=options.json)


if __name__ == "__main__":
    main()
