"""What an unprivileged container cannot do: write to the host, see other pods' secrets, gain rights.

The container looks for itself: at everything that it has mounted, at /proc, /sys and /dev.
"""

import secrets

import pytest

from conformance import pods
from conformance.rest import Object
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")
WRITABLE = """
exec 2>/dev/null
cat /proc/self/mountinfo > /tmp/mounts
echo "== mounts"; cat /tmp/mounts
echo "== kernel"
find /sys /proc/sys /proc/irq /proc/bus /proc/fs /proc/sysrq-trigger -type f |
    while read -r file; do true >> "$file" && echo "$file"; done
echo "== devices"; ls -l /dev | awk '/^[bc]/ {print $NF}'
echo "== sockets"; find / -xdev -type s; grep -o '[@/].*' /proc/net/unix
echo "== processes"; ls /proc | grep -c '^[0-9]'
echo "== namespaces"; for kind in mnt pid net ipc uts; do readlink /proc/self/ns/$kind; done
"""
ATTEMPTS = {
    "mount": "mount -t tmpfs tmpfs /mnt",
    "remount": "mount -o remount,rw /sys",
    "remount-proc": "mount -o remount,rw /proc/sys",
    "bind": "mount --bind / /mnt",
    "cgroup": (
        "for each in $(awk '/ - cgroup/ {print $5}' /proc/self/mountinfo); "
        "do mkdir $each/x && exit; done; false"
    ),
    "release-agent": "mkdir /tmp/cg && mount -t cgroup -o rdma cgroup /tmp/cg",
    "module": "insmod /bin/busybox",
    "time": "date -s 2001-01-01; test $(date +%Y) = 2001",
    "hostname": "hostname other",
    "route": "ip link set lo down",
    "disk": "mknod /tmp/disk b $(cut -d: -f1 /tmp/device) $(cut -d: -f2 /tmp/device) && head -c 1 /tmp/disk",
    "memory": "mknod /tmp/mem c 1 1 && head -c 1 /tmp/mem",
    "reboot": "reboot -f",
    "kernel-log": "dmesg -c",
    "sysrq": "echo h > /proc/sysrq-trigger",
    "core-pattern": "echo '|/tmp/x' > /proc/sys/kernel/core_pattern",
}
PRIVATE_FILES = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev/termination-log"}
"""Of the pod itself, written by the node."""
STRATEGIC = "application/strategic-merge-patch+json"
KERNELS = {"tmpfs", "proc", "devpts", "mqueue", "overlay"}
"""Writable file systems of the container's own."""


@pytest.fixture(scope="module")
def found(shared_space: Space) -> dict[str, list[str]]:
    """What a container as root finds that it could write to, by kind."""
    log = shared_space.run_all("look", pods.container(shared_space.image, WRITABLE))["main"]
    sections = [each.splitlines() for each in log.split("== ")[1:]]
    return {first.strip(): others for first, *others in sections}


def test_nothing_that_is_mounted_writable_is_the_hosts(found: dict[str, list[str]]) -> None:
    foreign = [line for line in found["mounts"] if is_foreign(line)]
    assert not foreign


def is_foreign(line: str) -> bool:
    """Whether a line of mountinfo is a writable mount of anything but the container's own."""
    left, right = line.split(" - ")
    place, options = left.split()[4:6]
    writable = options.split(",")[0] == "rw"
    return writable and place not in PRIVATE_FILES and right.split()[0] not in KERNELS


def test_the_kernels_settings_cannot_be_changed(found: dict[str, list[str]]) -> None:
    assert found["kernel"] == []


def test_only_harmless_devices_are_there(found: dict[str, list[str]]) -> None:
    assert set(found["devices"]) <= {"null", "zero", "full", "random", "urandom", "tty", "console", "ptmx"}


def test_no_socket_of_the_hosts_is_within_reach(found: dict[str, list[str]]) -> None:
    assert found["sockets"] == []


def test_no_process_of_others_is_seen(found: dict[str, list[str]]) -> None:
    assert int(found["processes"][0]) < 10


def test_rights_cannot_be_gained(shared_space: Space) -> None:
    """Each attempt by a root without more rights than the default; the exit codes are told."""
    prepare = (
        "awk '$2 != 0 && $1 != 0 {print $1 \":\" $2; exit}' /proc/partitions > /tmp/device; mkdir /mnt; "
    )
    attempts = "".join(
        f"( {command} ) >/dev/null 2>&1 && echo {name}; " for name, command in ATTEMPTS.items()
    )
    log = shared_space.run_all("try", pods.container(shared_space.image, prepare + attempts + "true"))["main"]
    assert log.split() == []


@pytest.fixture(scope="module")
def needle(shared_space: Space) -> str:
    """A word that only a pod `keeper` knows, in whatever ways a pod is told a secret."""
    word = secrets.token_hex(12)
    shared_space.secret("treasure", word=word)
    keeper = pods.container(
        shared_space.image,
        f"sleep 3600 & echo {word[::-1]} | rev > /tmp/word; wait",
        env=[{"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "treasure", "key": "word"}}}],
        volumeMounts=[{"name": "treasure", "mountPath": "/treasure"}],
    )
    volumes = [{"name": "treasure", "secret": {"secretName": "treasure"}}]
    shared_space.create(
        pods.pod("keeper", keeper, volumes=volumes, terminationGracePeriodSeconds=0, restartPolicy="Never")
    )
    shared_space.ready("keeper")
    return word


@pytest.mark.parametrize(
    "spec", [{}, {"hostNetwork": True}, {"shareProcessNamespace": True}], ids=["plain", "net", "shared"]
)
def test_no_other_pods_secret_is_found(shared_space: Space, needle: str, spec: Object) -> None:
    half = len(needle) // 2
    script = f"""
word={needle[:half]}; word=${{word}}{needle[half:]}
cat /proc/[0-9]*/environ 2>/dev/null | grep -c "$word"
grep -rl "$word" /var /run /etc /tmp /dev/shm /treasure 2>/dev/null | wc -l
grep -c treasure /proc/self/mountinfo
true
"""
    name = "seeker-" + "".join(spec).lower() if spec else "seeker"
    log = shared_space.run_all(name, pods.container(shared_space.image, script), **spec)["main"]
    assert log.split() == ["0", "0", "0"]


def test_namespaces_are_shared_where_the_pod_asks_for_it(shared_space: Space) -> None:
    script = (
        "for kind in pid net ipc uts; do readlink /proc/self/ns/$kind; done; "
        "ls /proc 2>/dev/null | grep -c '^[0-9]'"
    )
    show = [pods.container(shared_space.image, script, name=name) for name in ("one", "two")]
    cases: dict[str, Object] = {
        "apart": {},
        "together": {"shareProcessNamespace": True},
        "on-host": {"hostNetwork": True, "hostPID": True, "hostIPC": True},
    }
    logs = {name: shared_space.run_all(name, *show, **spec) for name, spec in cases.items()}
    seen = {name: [each.split() for each in log.values()] for name, log in logs.items()}
    pid, net, ipc = 0, 1, 2
    assert seen["apart"][0][pid] != seen["apart"][1][pid]
    assert seen["together"][0][pid] == seen["together"][1][pid]
    assert seen["on-host"][0][pid] == seen["on-host"][1][pid]
    assert int(seen["on-host"][0][4]) > 10, "the host's processes are seen"
    for kind in (net, ipc):
        assert seen["apart"][0][kind] == seen["apart"][1][kind], "a pod's containers share it"
        assert seen["apart"][0][kind] != seen["on-host"][0][kind]
    assert seen["apart"][0][3] == seen["apart"][1][3]


def test_a_process_of_another_container_is_seen_only_in_a_shared_namespace(space: Space) -> None:
    first = pods.container(space.image, "exec sleep 1234567", name="first")
    second = pods.container(space.image, name="second")
    cases: dict[str, Object] = {"apart": {}, "shared": {"shareProcessNamespace": True}}
    for name, spec in cases.items():
        space.create(pods.pod(name, first, second, **{"terminationGracePeriodSeconds": 0, **spec}))
    for name in cases:
        space.ready(name)
    assert "1234567" in processes(space, "shared")
    assert "1234567" not in processes(space, "apart")


def processes(space: Space, name: str) -> str:
    """What `ps` says in the pod's second container, by way of its log."""
    look = {
        "name": "look",
        "image": space.image,
        "command": ["ps"],
        "targetContainerName": "second",
    }
    path, patch = space.path("pods", name), {"spec": {"ephemeralContainers": [look]}}
    space.rest.patch(f"{path}/ephemeralcontainers", patch, content_type=STRATEGIC)

    def told() -> str:
        text = space.rest.request("GET", f"{path}/log", container="look").text
        return text if "PID" in text else ""

    return eventually(told, what="ps has told")
