"""The Node object says what the agent knows, also when the control plane thinks otherwise."""

from kubeling.client.fake import FakeClient
from kubeling.client.resources import NODES
from kubeling.objects import conditions
from kubeling.objects.clock import FakeClock
from kubeling.objects.tasks import Tasks
from runtime.node.machine import Machine
from runtime.node.node_object import NodeFacts
from runtime.node.node_reporter import NodeReporter

MACHINE = Machine(
    hostname="n",
    architecture="amd64",
    cpus=2,
    memory=2**30,
    swap=0,
    disk=2**30,
    huge_pages={},
    kernel="6.1",
    os_image="Debian",
    machine_id="m",
    system_uuid="s",
    boot_id="b",
)


async def test_a_node_that_is_taken_for_dead_reports_at_once() -> None:
    clock = FakeClock()
    client = FakeClient(clock=clock)
    reporter = NodeReporter(client, clock, NodeFacts("n", "192.0.2.2", 10250, MACHINE, problem=""))
    async with Tasks("test") as tasks:
        await reporter.register()
        client.informer(NODES).add_handler(reporter.overruled)
        tasks.start(reporter.run(), name="report")
        await clock.advance(1)
        node = client.stored(NODES, "n") or {}
        conditions.set_condition(node, "Ready", "Unknown", reason="NodeStatusUnknown", now=clock.now())
        client.put(node)
        await clock.advance(1)
        assert conditions.is_true(client.stored(NODES, "n") or {}, "Ready")
    await client.close()


async def test_resources_that_others_give_a_node_are_offered_as_long_as_it_has_them() -> None:
    clock = FakeClock()
    client = FakeClient(clock=clock)
    reporter = NodeReporter(client, clock, NodeFacts("n", "192.0.2.2", 10250, MACHINE, problem=""))
    async with Tasks("test") as tasks:
        await reporter.register()
        client.informer(NODES).add_handler(reporter.overruled)
        tasks.start(reporter.run(), name="report")
        await clock.advance(1)
        offered = []
        for amount in ("1k", None):
            patch = {"status": {"capacity": {"example.com/fake": amount}}}
            await client.patch(NODES, "n", patch, subresource="status")
            await clock.advance(1)
            allocatable = (client.stored(NODES, "n") or {})["status"]["allocatable"]
            offered.append((allocatable.get("example.com/fake"), allocatable["cpu"]))
        assert offered == [("1k", "2"), (None, "2")]
    await client.close()
