"""Whatever a moody user does, and whichever nodes fall silent: in the end everything is as the objects say.

That the processes die meanwhile is tested on processes (`conformance/test_chaos.py`).
"""

import itertools
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.chaos import Moody, Operation
from conformance.converged import State, violations
from kubeling.client import STRATEGIC_PATCH
from kubeling.client.resources import (
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    STATEFUL_SETS,
    Resource,
)
from kubeling.objects.clock import let_others_run
from kubeling.objects.errors import AlreadyExists, Conflict, NotFound
from kubeling.objects.meta import Object, name
from kubeling.testing import cluster
from kubeling.testing.inprocess import Cluster

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

NODES = 3
RESOURCES: dict[str, Resource] = {
    each.plural: each
    for each in (
        PODS,
        REPLICATION_CONTROLLERS,
        REPLICA_SETS,
        DEPLOYMENTS,
        STATEFUL_SETS,
        DAEMON_SETS,
        JOBS,
    )
}
LONG = 1500
"""Seconds in which all that waits must have had its turn: evictions, back-offs, what a lost node held up."""


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with cluster(clock="manual", virtual_nodes=NODES, directory=tmp_path) as running:
        yield running


_numbers = itertools.count()


@pytest.mark.timeout(600)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(choose=st.randoms(use_true_random=False), steps=st.integers(5, 40))
async def test_what_the_objects_say_comes_about(running: Cluster, choose: random.Random, steps: int) -> None:
    space = await running.namespace(f"chaos-{next(_numbers)}")
    moody = Moody(choose, image="app", pods=lambda: _names(running, space))
    done = [await _step(running, space, moody, choose) for _ in range(steps)]
    for number in range(NODES):
        await running.find_node(f"virtual-{number}")
    await running.advance(seconds=LONG)
    assert violations(_state(running, space)) == [], "\n".join(done)
    await _clear(running, space)


async def _step(running: Cluster, space: str, moody: Moody, choose: random.Random) -> str:
    """An operation, and as much time as it happens to get."""
    what = choose.randrange(12)
    if what == 0:
        node = f"virtual-{choose.randrange(NODES)}"
        await (running.lose_node(node) if choose.random() < 0.5 else running.find_node(node))
        return f"{node} is lost or found"
    if what == 1:
        seconds = choose.choice((1, 10, 100, 400))
        await running.advance(seconds=seconds)
        return f"{seconds} s pass"
    if what == 2:
        await running.settled()
        return "all settles"
    operation = moody.next()
    await _do(running, space, operation)
    await let_others_run()
    return str(operation)


async def _do(running: Cluster, space: str, operation: Operation) -> None:
    client, resource, body = running.client, RESOURCES[operation.resource], operation.body or {}
    with suppress(NotFound, AlreadyExists, Conflict):
        if operation.verb == "create":
            await client.create(resource, {**body, "metadata": {**body["metadata"], "namespace": space}})
        elif operation.verb == "patch":
            await client.patch(resource, operation.name, body, namespace=space, content_type=STRATEGIC_PATCH)
        else:
            await client.delete(
                resource,
                operation.name,
                namespace=space,
                grace_period_seconds=body.get("gracePeriodSeconds"),
                propagation_policy=body.get("propagationPolicy"),
            )


async def _clear(running: Cluster, space: str) -> None:
    """The namespace ends, with all that is in it."""
    await running.do(running.client.delete(NAMESPACES, space))
    await running.advance(seconds=60)
    assert running.client.informer(NAMESPACES).get("", space) is None
    assert _names(running, space) == []


def _names(running: Cluster, space: str) -> list[str]:
    return [name(pod) for pod in running.client.informer(PODS).list(space)]


def _state(running: Cluster, space: str) -> State:
    def items(resource: Resource) -> list[Object]:
        return running.client.informer(resource).list(space)

    return State({plural: items(resource) for plural, resource in RESOURCES.items()}, NODES)
