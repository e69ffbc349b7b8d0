"""What a container finds: variables that come late, its directory, limits, its network.

Not here: where variables come from (`test_env_sources`), users and rights (`test_security_context`).
"""

import pytest

from conformance import pods
from conformance.space import Space

pytestmark = pytest.mark.usefixtures("containers")


def test_a_config_map_that_is_missing_holds_the_container(space: Space) -> None:
    reference = {"configMapKeyRef": {"name": "late", "key": "k"}}
    env = [{"name": "K", "valueFrom": reference}]
    space.run("held", "echo $K", container={"env": env})
    held = lambda pod: pods.waiting_reason(pod) == "CreateContainerConfigError"  # noqa: E731
    pod = space.until("held", held, what="is held")
    assert pods.status_of(pod)["state"]["waiting"]["message"] == 'configmap "late" not found'
    space.config_map("late", k="here")
    space.phase("held", "Succeeded", timeout=60)
    assert space.log("held") == "here\n"


def test_the_working_directory(space: Space) -> None:
    assert space.run_through("wd", "pwd", container={"workingDir": "/tmp"}) == "/tmp\n"


def test_the_memory_limit_is_the_control_groups(space: Space) -> None:
    limits = {"limits": {"memory": "64Mi"}}
    script = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes || cat /sys/fs/cgroup/memory.max"
    log = space.run_through("small", script, container={"resources": limits})
    assert log.splitlines()[-1] == str(64 << 20)


def test_the_cpu_limit_is_the_control_groups(space: Space) -> None:
    limits = {"limits": {"cpu": "200m"}}
    script = "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us || cut -d' ' -f1 /sys/fs/cgroup/cpu.max"
    log = space.run_through("slow", script, container={"resources": limits})
    assert log.splitlines()[-1] == "20000"


def test_too_much_memory_ends_a_container(space: Space) -> None:
    limits = {"limits": {"memory": "16Mi"}}
    space.run("hungry", "head -c 200000000 /dev/zero | tail", container={"resources": limits})
    pod = space.phase("hungry", "Failed")
    assert pods.status_of(pod)["state"]["terminated"]["reason"] in ("OOMKilled", "Error")


def test_the_quality_of_service(space: Space) -> None:
    both = {"cpu": "10m", "memory": "16Mi"}
    cases = {
        "guaranteed": ({"limits": both, "requests": both}, "Guaranteed"),
        "burstable": ({"requests": {"cpu": "10m"}}, "Burstable"),
    }
    for name, (resources, expected) in cases.items():
        pod = space.run(name, container={"resources": resources})
        assert pod["status"]["qosClass"] == expected


def test_the_message_at_the_end(space: Space) -> None:
    space.run("last", "echo -n goodbye > /dev/termination-log; exit 1")
    ended = pods.status_of(space.phase("last", "Failed"))["state"]["terminated"]
    assert ended["message"] == "goodbye"


def test_containers_of_a_pod_share_their_network(space: Space) -> None:
    server = pods.container(space.image, "httpd -f -p 80 -h /etc", name="server")
    script = "until wget -q -O - http://127.0.0.1/passwd; do sleep 0.2; done; "
    space.create(pods.pod("shared", server, pods.container(space.image, script + pods.IDLE)))
    space.ready("shared")
    waiting = space.path("pods", "shared")
    assert waiting
    space.until("shared", lambda _: "root:x:0" in space.log("shared", container="main"), what="has asked")


def test_the_hosts_network(space: Space) -> None:
    pod = space.run_ready("hosted", hostNetwork=True)
    assert pod["status"]["podIP"] == pod["status"]["hostIP"]
