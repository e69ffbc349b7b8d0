"""Faults of what a pod's worker works with: the runtime goes and comes, the API is away."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from cri_api.v1 import api_pb2 as cri

from kubeling.objects.clock import FakeClock
from kubeling.objects.tasks import Tasks
from runtime.container_runtime import RuntimeEventKind
from runtime.errors import RuntimeFailed, RuntimeUnavailable
from runtime.pods.resync import resync
from runtime.tests.pod_node import PodNode, a_container, a_pod, pod_node


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


async def test_a_crash_loop_waits_as_long_when_the_clock_is_put_back(node: PodNode) -> None:
    node.create(a_pod())
    await node.running()
    node.runtime.exit("main", 1)
    await node.until(lambda: node.container()["restartCount"] == 1 and node.runtime.running("main"))
    node.clock.set_wall(-3600)
    node.runtime.exit("main", 1)
    await node.until(lambda: node.waiting() == "CrashLoopBackOff")
    await node.clock.advance(9)
    assert not node.runtime.running("main")
    await node.clock.advance(1)
    await node.until(lambda: node.runtime.running("main"))


async def test_a_crash_loop_waits_as_long_when_the_clock_is_put_forward(node: PodNode) -> None:
    node.create(a_pod())
    await node.running()
    node.runtime.exit("main", 1)
    await node.until(lambda: node.container()["restartCount"] == 1 and node.runtime.running("main"))
    node.runtime.exit("main", 1)
    await node.until(lambda: node.waiting() == "CrashLoopBackOff")
    node.clock.set_wall(3600)
    node.runtime.emit(RuntimeEventKind.LOOK)
    await node.clock.advance(9)
    assert not node.runtime.running("main")
    await node.clock.advance(1)
    await node.until(lambda: node.runtime.running("main"))


async def test_a_deadline_goes_by_the_time_that_has_passed(node: PodNode) -> None:
    node.create(a_pod(activeDeadlineSeconds=60))
    await node.running()
    node.clock.set_wall(3600)
    await node.clock.advance(50)
    assert node.status()["phase"] == "Running"
    node.clock.set_wall(-7200)
    await node.clock.advance(11)
    await node.until(lambda: node.status().get("reason") == "DeadlineExceeded")


@pytest.mark.parametrize("step", [-3600, 3600])
async def test_a_probe_begins_after_its_delay_whatever_the_clock_says(node: PodNode, step: float) -> None:
    probe = {"exec": {"command": ["true"]}, "initialDelaySeconds": 20}
    node.create(a_pod(containers=[a_container(readinessProbe=probe)]))
    await node.until(lambda: node.runtime.running("main"))
    node.clock.set_wall(step)
    await node.clock.advance(19)
    assert not node.container()["ready"]
    await node.clock.advance(2)
    await node.until(lambda: node.container()["ready"])


async def test_a_clock_that_is_set_is_noticed_and_one_that_is_adjusted_is_not() -> None:
    clock, noticed = FakeClock(), list[float]()
    async with Tasks("test") as tasks:
        watch = resync(clock, relist=lambda: None, clock_set=lambda: noticed.append(clock.monotonic()))
        tasks.start(watch, name="resync")
        await clock.advance(20)
        clock.set_wall(0.5)
        await clock.advance(20)
        assert not noticed
        clock.set_wall(-3600)
        await clock.advance(100)
    assert noticed == [60.0], "what goes by the wall clock, as tokens do, is looked at, once"


async def test_what_no_event_told_of_is_found_in_the_end(node: PodNode) -> None:
    node.create(a_pod(restartPolicy="Never"))
    await node.running()
    for container in node.runtime.containers.values():
        container.state, container.exit_code = cri.CONTAINER_EXITED, 3
        container.finished_at = int(node.clock.now().timestamp() * 1e9)
    await node.clock.advance(301)
    await node.until(lambda: node.status()["phase"] == "Failed")


async def test_directories_and_logs_of_pods_that_are_no_more_go(node: PodNode, tmp_path: Path) -> None:
    fake = node.runtime
    for place in ("pods/stale/volumes", "logs/default_old_stale/main"):
        (tmp_path / place).mkdir(parents=True)
    node.create(a_pod())
    await node.running()
    async with pod_node(tmp_path, client=node.client, runtime=fake):
        await node.until(lambda: not (tmp_path / "pods" / "stale").exists())
        await node.until(lambda: not (tmp_path / "logs" / "default_old_stale").exists())
    assert len(list((tmp_path / "pods").iterdir())) == len(list((tmp_path / "logs").iterdir())) == 1


async def test_a_disk_that_takes_no_directories_is_told_of_and_tried_again(
    node: PodNode, tmp_path: Path
) -> None:
    (tmp_path / "pods").write_text("in the way")
    node.create(a_pod())
    await node.until(lambda: node.agent.workers)
    reasons = {reason for reason, _ in await node.events()}
    assert reasons == {"FailedToMakePodDataDirectories"}
    (tmp_path / "pods").unlink()
    await node.clock.advance(3)
    await node.running()


async def test_an_agent_that_died_right_after_the_sandbox_leaves_no_container_without_hosts(
    node: PodNode, tmp_path: Path
) -> None:
    node.runtime.fail("create_container", times=5)
    node.create(a_pod())
    await node.until(lambda: "create_container" in node.runtime.verbs())
    for hosts in tmp_path.rglob("etc-hosts"):
        hosts.unlink()
    node.runtime.emit(RuntimeEventKind.RELIST)
    async with pod_node(tmp_path / "again", client=node.client, runtime=node.runtime) as again:
        await again.clock.advance(60)
        await again.running()
    config = next(iter(node.runtime.configs.values()))
    assert "/etc/hosts" in {mount.container_path for mount in config.mounts}


async def test_a_fault_of_ours_is_not_repeated_without_a_pause(
    node: PodNode, caplog: pytest.LogCaptureFixture
) -> None:
    broken = ValueError("broken")
    node.runtime.fail("run_pod_sandbox", broken, times=2)  # type: ignore[arg-type]
    node.create(a_pod())
    await node.until(lambda: "run_pod_sandbox" in node.runtime.verbs())
    await node.clock.advance(0.5)
    assert node.runtime.verbs("run_pod_sandbox") == ["run_pod_sandbox"]
    await node.clock.advance(5)
    await node.running()
    assert "broken" in caplog.text
