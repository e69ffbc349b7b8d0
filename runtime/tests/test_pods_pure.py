"""The small rules: back-off, quality of service, DNS, hosts, references, messages, patches."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from runtime.kubelet_configuration import KubeletConfiguration
from runtime.pods.backoff import Backoff, crash_backoff
from runtime.pods.observed import ObservedContainer, State
from runtime.pods.references import Reference, pod_references
from runtime.pods.status.termination_message import termination_message
from runtime.pods.status.writer import status_patch

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def after(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def test_the_first_failure_waits_for_nothing_and_later_ones_double() -> None:
    backoff = Backoff()
    assert backoff.remaining("k", since=0, now=0) == 0
    waits = []
    for moment in range(7):
        backoff.failed("k", at=moment)
        waits.append(backoff.remaining("k", since=moment, now=moment))
    assert waits == [10, 20, 40, 80, 160, 300, 300]


def test_a_key_that_was_quiet_for_ten_minutes_starts_anew() -> None:
    backoff = Backoff()
    for _ in range(4):
        backoff.failed("k", at=0)
    assert backoff.remaining("k", since=601, now=601) == 0
    backoff.failed("k", at=601)
    assert backoff.wait("k") == 10


def test_a_node_may_shorten_the_longest_wait() -> None:
    shortest = KubeletConfiguration(crash_loop_back_off={"maxContainerRestartPeriod": "4s"})
    for kubelet, waits in ((KubeletConfiguration(), (10, 300)), (shortest, (4, 4))):
        backoff = crash_backoff(kubelet)
        assert (backoff.initial, backoff.longest) == waits


def test_the_objects_that_a_pod_refers_to() -> None:
    pod = {
        "metadata": {"namespace": "n"},
        "spec": {
            "imagePullSecrets": [{"name": "pull"}],
            "initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": "s1"}}]}],
            "containers": [
                {"name": "c", "env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "c1"}}}]}
            ],
            "volumes": [
                {"name": "a", "configMap": {"name": "c2"}},
                {"name": "b", "secret": {"secretName": "s2"}},
                {"name": "p", "projected": {"sources": [{"configMap": {"name": "c3"}}]}},
            ],
        },
    }
    maps = {Reference("ConfigMap", "n", each) for each in ("c1", "c2", "c3")}
    assert pod_references(pod) == maps | {Reference("Secret", "n", each) for each in ("pull", "s1", "s2")}


def ended(**fields: Any) -> ObservedContainer:
    return ObservedContainer(
        id="x",
        sandbox_id="s",
        name="c",
        state=State.EXITED,
        restart_count=0,
        hash="",
        created_at=T0,
        **fields,
    )


def test_the_termination_message_is_what_the_container_wrote(tmp_path: Path) -> None:
    file = tmp_path / "message"
    file.write_bytes(b"x" * 5000)
    assert termination_message(ended(termination_path=str(file))) == "x" * 4096


def test_a_failed_container_may_fall_back_to_the_end_of_its_log(tmp_path: Path) -> None:
    message, log = tmp_path / "message", tmp_path / "0.log"
    message.touch()
    stamp = "2026-01-01T00:00:00.000000000Z"
    log.write_text(f"{stamp} stdout F one\n{stamp} stderr P tw\n{stamp} stderr F o\n")
    fields = {"termination_path": str(message), "log_path": str(log), "termination_fallback": True}
    assert termination_message(ended(exit_code=1, **fields)) == "one\ntwo\n"
    assert termination_message(ended(exit_code=0, **fields)) == ""


def test_only_what_changed_is_patched() -> None:
    base = {
        "phase": "Pending",
        "message": "old",
        "podIPs": [{"ip": "1"}],
        "conditions": [
            {"type": "Ready", "status": "False", "reason": "R"},
            {"type": "PodScheduled", "status": "True"},
        ],
    }
    wanted = {
        "phase": "Running",
        "podIPs": [{"ip": "2"}],
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "PodScheduled", "status": "True"}],
    }
    assert status_patch(base, wanted) == {
        "phase": "Running",
        "message": None,
        "podIPs": [{"$patch": "replace"}, {"ip": "2"}],
        "conditions": [{"type": "Ready", "status": "True", "reason": None}],
        "$setElementOrder/conditions": [{"type": "Ready"}, {"type": "PodScheduled"}],
    }
    assert status_patch(wanted, wanted) == {}
