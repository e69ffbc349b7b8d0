"""The agent is killed at every step of a pod's life: the pod comes up once, goes once, and leaves nothing.

Each pod is held at a step of its own. When all stand still one SIGKILL finds the agent in the middle of
every step. With --one-by-one it is killed for each of them alone.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from conformance import pods, processes
from conformance.cluster import Cluster
from conformance.leaks import Node, nothing_left, traces
from conformance.rest import Object
from conformance.space import Space
from conformance.steps import Steps

KINDS = {
    *("address", "cgroup", "containers", "directory", "interface"),
    *("mount", "process", "shim", "snapshot", "tasks"),
}
"""What a pod holds of the machine."""
PATIENCE = 90
CONTAINERS = ("setup", "sidecar", "main")
UP = [
    "volumes-set-up",
    "cgroup-made",
    "sandbox-run",
    *(f"image-present {name}" for name in CONTAINERS),
    *(f"container-created {name}" for name in CONTAINERS),
    *(f"container-started {name}" for name in CONTAINERS),
    "command-run main test -e /secret/word",
    "status-written Running",
]
DOWN = [
    "command-run main test -d /part",
    "container-stopped main",
    "container-stopped sidecar",
    "sandbox-stopped",
    "volumes-torn-down",
    "cgroup-removed",
    "status-written Succeeded",
    "deletion-sent",
    "sandbox-removed",
    "directories-removed",
]


@pytest.fixture
def words(room: Space) -> Space:
    room.secret("word", word="open")
    return room


def test_the_walk_knows_every_step(fragile: Cluster, words: Space, steps: Steps) -> None:
    with nothing_left(fragile) as known:
        known.append(words.create(_pod(words, "whole")))
        words.ready("whole")
        seen = [*Node.of(fragile).holdings(), *traces([known[0]["metadata"]["uid"]])]
        assert {each.split()[0] for each in seen} == KINDS
        words.remove_pod("whole", grace=5)
    passed = {each.partition(" ")[2] for each in steps.passed("whole")}
    assert {*UP, *DOWN} <= passed
    assert not passed - {*UP, *DOWN} - {"status-written"}, "these steps are not walked"


@pytest.mark.timeout(600)
def test_the_agent_dies_at_every_step(
    fragile: Cluster, words: Space, steps: Steps, request: pytest.FixtureRequest
) -> None:
    with nothing_left(fragile) as known:
        for up, down in _rounds(alone=request.config.getoption("--one-by-one")):
            with _death(fragile, steps, up):
                known += [words.create(_pod(words, pod)) for pod in up]
            for pod in up:
                words.ready(pod, timeout=PATIENCE)
            _once(fragile, words, up)
            with _death(fragile, steps, down):
                for pod in up:
                    words.rest.delete(words.path("pods", pod), gracePeriodSeconds=5)
            for pod in up:
                words.rest.gone(words.path("pods", pod), timeout=PATIENCE)


def _rounds(*, alone: bool) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """What is to be held, by pod: on the way up, on the way down."""
    up, down = ([f"{when} {step}" for step in way for when in ("before", "after")] for way in (UP, DOWN))
    names = [f"pod-{number}" for number in range(max(len(up), len(down)))]
    both = [dict(zip(names, way, strict=False)) for way in (up, down)]
    if not alone:
        yield both[0], both[1]
        return
    for number, name in enumerate(names):
        yield {name: up[number % len(up)]}, {name: down[number % len(down)]}


@contextmanager
def _death(cluster: Cluster, steps: Steps, held: Mapping[str, str]) -> Iterator[None]:
    """What is in the block brings each pod to its step; there the agent dies."""
    steps.hold(held)
    yield
    steps.until_held(held, timeout=PATIENCE)
    steps.release()
    processes.kill(cluster, "runtime")


def _once(cluster: Cluster, room: Space, names: Iterable[str]) -> None:
    """None was made twice, and none was started again."""
    containers = Node.of(cluster).containers()
    for name in names:
        pod = room.pod(name)
        statuses = [*pod["status"]["initContainerStatuses"], *pod["status"]["containerStatuses"]]
        assert [each["restartCount"] for each in statuses] == [0, 0, 0], name
        made = sorted(each for uid, each in containers if uid == pod["metadata"]["uid"])
        assert made == sorted(["", *CONTAINERS]), name


def _pod(room: Space, name: str) -> Object:
    """With something of everything that has to be cleaned up."""
    mounts = [
        {"name": "memory", "mountPath": "/memory"},
        {"name": "memory", "mountPath": "/part", "subPath": "a/part"},
        {"name": "word", "mountPath": "/secret"},
        {"name": "disk", "mountPath": "/disk"},
    ]
    main = pods.container(
        room.image,
        volumeMounts=mounts,
        lifecycle={
            "postStart": {"exec": {"command": ["test", "-e", "/secret/word"]}},
            "preStop": {"exec": {"command": ["test", "-d", "/part"]}},
        },
    )
    setup = pods.container(room.image, "true", name="setup", volumeMounts=mounts[:1])
    sidecar = pods.container(room.image, name="sidecar", restartPolicy="Always")
    volumes = [
        {"name": "memory", "emptyDir": {"medium": "Memory"}},
        {"name": "disk", "emptyDir": {}},
        {"name": "word", "secret": {"secretName": "word"}},
    ]
    return pods.pod(name, main, initContainers=[setup, sidecar], volumes=volumes, restartPolicy="Always")
