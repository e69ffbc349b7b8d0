"""kubectl logs: whole, in part, of one container, of the one before, as it is written."""

import subprocess

import pytest

from conformance import pods
from conformance.kubectl import Kubectl
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")
TALK = "for n in 1 2 3 4 5; do echo line $n; done; echo to stderr >&2; "


@pytest.fixture(scope="module")
def talker(admin: Kubectl, shared_space: Space) -> Kubectl:
    """The namespace of a pod `talker` that has said five lines in `main` and one in `other`."""
    main = pods.container(shared_space.image, TALK + pods.IDLE)
    other = pods.container(shared_space.image, "echo from other; " + pods.IDLE, name="other")
    shared_space.create(pods.pod("talker", main, other))
    shared_space.ready("talker")
    for container, text in (("main", "stderr"), ("other", "other")):
        probe = lambda c=container, t=text: t in shared_space.log("talker", container=c)  # noqa: E731
        eventually(probe, what=f"the log of {container} says {text}")
    return admin.within(shared_space.name)


def test_the_whole_log(talker: Kubectl) -> None:
    lines = talker("logs", "talker", "-c", "main").lines
    assert [line for line in lines if line != "to stderr"] == [f"line {n}" for n in range(1, 6)]
    assert "to stderr" in lines


def test_the_last_lines(talker: Kubectl) -> None:
    assert len(talker("logs", "talker", "-c", "main", "--tail=2").lines) == 2
    assert talker("logs", "talker", "-c", "main", "--tail=0").text == ""


def test_one_container_or_all(talker: Kubectl) -> None:
    assert talker("logs", "talker", "-c", "other").text == "from other\n"
    text = talker("logs", "talker", "--all-containers", "--prefix").text
    assert "[pod/talker/other] from other" in text
    assert "[pod/talker/main] line 1" in text


def test_the_first_container_is_the_default(talker: Kubectl) -> None:
    result = talker("logs", "talker")
    assert "line 1" in result.text
    assert 'Defaulted container "main" out of: main, other' in result.errors


def test_timestamps(talker: Kubectl) -> None:
    stamp, text = talker("logs", "talker", "-c", "other", "--timestamps").text.split(" ", 1)
    assert text == "from other\n"
    assert stamp[10] == "T"
    assert stamp[19] == "."


def test_only_since(talker: Kubectl, shared_space: Space) -> None:
    assert talker("logs", "talker", "-c", "other", "--since=1h").text == "from other\n"
    assert talker("logs", "talker", "-c", "other", "--since-time=2001-01-01T00:00:00Z").text == "from other\n"
    assert talker("logs", "talker", "-c", "other", "--since-time=2999-01-01T00:00:00Z").text == ""


def test_a_limit_of_bytes(talker: Kubectl) -> None:
    assert talker("logs", "talker", "-c", "other", "--limit-bytes=4").text == "from"


def test_logs_by_selector(kubectl: Kubectl, space: Space) -> None:
    body = pods.pod("one", pods.container(space.image, "echo chosen"))
    body["metadata"]["labels"] = {"app": "one"}
    space.create(body)
    space.phase("one", "Succeeded")
    assert kubectl("logs", "-l", "app=one").text == "chosen\n"


def test_a_container_that_does_not_exist(talker: Kubectl) -> None:
    result = talker.attempt("logs", "talker", "-c", "absent")
    assert result.code == 1
    assert "container absent is not valid for pod talker" in result.errors


def test_a_container_that_has_not_started(kubectl: Kubectl, space: Space) -> None:
    space.run("waiting", container={"image": "localhost:1/no/such:1"})
    space.until("waiting", pods.waiting_reason, what="waits")
    result = kubectl.attempt("logs", "waiting")
    assert result.code == 1
    assert 'container "main" in pod "waiting" is waiting to start: ' in result.errors


def test_a_pod_without_a_node(kubectl: Kubectl, space: Space) -> None:
    space.run("unbound", nodeSelector={"no.such/label": "x"})
    result = kubectl.attempt("logs", "unbound")
    assert result.text == "", str(result)


def test_following_ends_with_the_container(each_kubectl: Kubectl, space: Space) -> None:
    space.run_ready("short", "echo one; while [ ! -e /tmp/go ]; do sleep 0.1; done; echo two")
    following = each_kubectl.start("logs", "-f", "short", stdout=subprocess.PIPE)
    assert following.stdout
    try:
        assert following.stdout.readline() == b"one\n"
        each_kubectl("exec", "short", "--", "touch", "/tmp/go")
        rest, _ = following.communicate(timeout=20)
    finally:
        following.kill()
    assert rest == b"two\n"
    assert following.returncode == 0


def test_the_log_of_the_attempt_before(kubectl: Kubectl, space: Space) -> None:
    script = "if [ -e /data/second ]; then echo second; " + pods.IDLE + "; fi; echo first; >/data/second"
    mounts = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    volume = {"name": "data", "emptyDir": {}}
    space.run("twice", script, container=mounts, volumes=[volume], restartPolicy="Always")
    space.until("twice", lambda pod: pods.status_of(pod).get("restartCount") == 1, what="was restarted")
    eventually(lambda: kubectl("logs", "twice").text == "second\n", what="the second attempt has spoken")
    assert kubectl("logs", "twice", "--previous").text == "first\n"


def test_no_attempt_before(talker: Kubectl) -> None:
    result = talker.attempt("logs", "talker", "-c", "main", "--previous")
    assert result.code == 1
    assert 'previous terminated container "main" in pod "talker" not found' in result.errors


def test_a_large_log_is_whole(kubectl: Kubectl, space: Space) -> None:
    """The container lives on: of what one leaves unread at its end, containerd drops some when it is late."""
    space.run_ready("large", "seq 1 200000; " + pods.IDLE)
    eventually(lambda: space.log("large", tailLines=1) == "200000\n", what="all is written", timeout=60)
    lines = kubectl("logs", "large").lines
    assert lines == [str(number) for number in range(1, 200001)]


def test_a_line_longer_than_a_log_record(kubectl: Kubectl, space: Space) -> None:
    space.run("wide", "head -c 100000 /dev/zero | tr '\\0' x; echo")
    space.phase("wide", "Succeeded")
    assert kubectl("logs", "wide").text == "x" * 100_000 + "\n"
