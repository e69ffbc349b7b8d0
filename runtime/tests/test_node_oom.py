"""The event for a machine that is out of memory."""

from kubeling.client.event_recorder import EventRecorder
from kubeling.client.fake import FakeClient
from kubeling.client.resources import EVENTS
from kubeling.objects.clock import FakeClock
from runtime.node.node_events import NodeEvents
from runtime.node.oom_watch import OomLog

WITHIN = (
    "6,1,2,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=x,mems_allowed=0,"
    "oom_memcg=/kubepods/podu1,task_memcg=/kubepods/podu1/c,task=tail,pid=7,uid=0"
)
EVERYWHERE = (
    "6,1,2,-;oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,"
    "global_oom,task_memcg=/kubepods/podu1/c,task=tail,pid=7,uid=0"
)
KILLED = "3,1,3,-;Out of memory: Killed process 7 (tail) total-vm:1kB, anon-rss:1kB"


async def test_only_a_machine_without_memory_is_told_of() -> None:
    client, clock = FakeClient(), FakeClock()
    recorder = EventRecorder(client, "kubelet", clock=clock, host="n1")
    log = OomLog(NodeEvents(recorder, "n1"))
    for line in (WITHIN, KILLED, EVERYWHERE, KILLED, KILLED):
        log.line(line)
    await clock.advance(1)
    found = [(each["reason"], each["message"]) for each in (await client.list(EVENTS)).items]
    assert found == [("SystemOOM", "System OOM encountered, victim process: tail, pid: 7")]
    await recorder.close()
