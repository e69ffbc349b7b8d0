"""Faults of what a pod's worker works with: the runtime goes and comes, the API is away."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.container_runtime import RuntimeEventKind
from runtime.errors import RuntimeFailed, RuntimeUnavailable
from runtime.tests.pod_node import PodNode, a_pod, pod_node


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[PodNode]:
    async with pod_node(tmp_path) as made:
        yield made


@pytest.mark.parametrize("verb", ["run_pod_sandbox", "create_container"])
async def test_what_failed_while_the_runtime_was_away_is_tried_as_soon_as_it_is_back(
    node: PodNode, verb: str
) -> None:
    node.runtime.fail(verb, RuntimeUnavailable("away"))
    node.create(a_pod())
    await node.until(lambda: verb in node.runtime.verbs())
    await node.clock.advance(0.01)
    assert not node.runtime.running("main")
    node.runtime.emit(RuntimeEventKind.RELIST)
    await node.running()


async def test_a_runtime_that_is_looked_at_every_second_does_not_end_delays(node: PodNode) -> None:
    node.runtime.fail("create_container", RuntimeFailed("no"))
    node.create(a_pod())
    await node.until(lambda: node.waiting() == "CreateContainerError")
    node.runtime.emit(RuntimeEventKind.LOOK)
    await node.clock.advance(5)
    assert node.runtime.verbs("create_container") == ["create_container"]
