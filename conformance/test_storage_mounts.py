"""How volumes are mounted: parts of them, read-only, with mounts passed on; paths of the host by type."""

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance import pods
from conformance.cluster import Cluster
from conformance.rest import Object
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")
PRIVILEGED: Object = {"securityContext": {"privileged": True}}


@pytest.fixture
def place(cluster: Cluster, tmp_path: Path) -> Path:
    """A directory of the node that is ours to use."""
    if not cluster.home:
        pytest.skip("the node's files are not ours")
    tmp_path.chmod(0o755)
    return tmp_path


def mount(path: str, name: str = "v", **more: object) -> Object:
    return {"name": name, "mountPath": path, **more}


def empty(name: str = "v") -> Object:
    return {"name": name, "emptyDir": {}}


def host(path: Path, kind: str = "", name: str = "v") -> Object:
    return {"name": name, "hostPath": {"path": str(path), "type": kind}}


def refused(space: Space, name: str, reason: str = "CreateContainerConfigError") -> str:
    """Why the pod's container cannot be made."""
    pod = space.until(name, lambda pod: pods.waiting_reason(pod) == reason, what=f"says {reason}")
    said: str = pods.status_of(pod)["state"]["waiting"]["message"]
    return said


# --- parts of volumes ---


def test_parts_of_what_the_node_writes(space: Space) -> None:
    """Files by subPath from each kind, one of them over a file of the image, one at a path of its own."""
    space.config_map("held", one="config")
    space.secret("held", one="secret")
    name = {"items": [{"path": "one", "fieldRef": {"fieldPath": "metadata.name"}}]}
    sources: dict[str, Object] = {
        "config": {"configMap": {"name": "held"}},
        "secret": {"secret": {"secretName": "held"}},
        "downward": {"downwardAPI": name},
        "projected": {"projected": {"sources": [{"configMap": {"name": "held"}}]}},
    }
    mounts = [mount(f"/parts/{each}", each, subPath="one") for each in sources]
    mounts.append(mount("/etc/passwd", "config", subPath="one"))
    script = (
        "cd /parts; for each in config secret downward projected; do cat $each; echo; done; cat /etc/passwd"
    )
    volumes = [{"name": each, **source} for each, source in sources.items()]
    log = space.run_through("parts", script, container={"volumeMounts": mounts}, volumes=volumes)
    assert log == "config\nsecret\nparts\nconfig\nconfig"


def test_parts_of_an_empty_directory(space: Space) -> None:
    """Made where they are missing, with the volume's mode; files; read-only; by expressions."""
    script = "stat -c %a /sub; echo a > /sub/file; echo b > /whole/f; ls /whole /whole/deep"
    first = pods.container(
        space.image, script, name="first", volumeMounts=[mount("/sub", subPath="deep/er"), mount("/whole")]
    )
    parts = [mount("/sub", subPath="deep/er", readOnly=True), mount("/f", subPath="f")]
    second = pods.container(
        space.image, "cat /sub/file /f; touch /sub/x 2>&1 | cat", name="second", volumeMounts=parts
    )
    env = [
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "WHERE", "value": "logs/$(POD)"},
    ]
    third = pods.container(
        space.image,
        "touch /here/x; cd /whole; find logs",
        name="third",
        env=env,
        volumeMounts=[mount("/here", subPathExpr="$(WHERE)"), mount("/whole")],
    )
    pod = pods.pod("parts", third, volumes=[empty()], initContainers=[first, second])
    space.create(pod)
    space.phase("parts", "Succeeded")
    assert space.log("parts", container="first").split() == [
        "777",
        "/whole:",
        "deep",
        "f",
        "/whole/deep:",
        "er",
    ]
    second_said = space.log("parts", container="second").splitlines()
    assert second_said[:2] == ["a", "b"]
    assert second_said[2].endswith("Read-only file system")
    assert space.log("parts", container="third").split() == ["logs", "logs/parts", "logs/parts/x"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("..", "unable to provision SubPath `..`: must not contain '..'"),
        ("/tmp", "error SubPath `/tmp` must not be an absolute path"),
        ("", "missing value for WHERE"),
    ],
    ids=["up", "absolute", "empty"],
)
def test_expressions_that_lead_elsewhere(space: Space, value: str, why: str) -> None:
    container = {
        "env": [{"name": "WHERE", "value": value}],
        "volumeMounts": [mount("/v", subPathExpr="$(WHERE)")],
    }
    space.run("held", container=container, volumes=[empty()])
    assert refused(space, "held") == why


def test_an_expression_is_mended_while_the_pod_waits(space: Space) -> None:
    """It refers to an annotation that is set later."""
    field = {"fieldRef": {"fieldPath": "metadata.annotations['where']"}}
    container = {
        "env": [{"name": "WHERE", "valueFrom": field}],
        "volumeMounts": [mount("/v", subPathExpr="$(WHERE)"), mount("/all")],
    }
    space.run("mended", "ls /all", container=container, volumes=[empty()])
    refused(space, "mended")
    space.rest.patch(space.path("pods", "mended"), {"metadata": {"annotations": {"where": "here"}}})
    space.phase("mended", "Succeeded", timeout=60)
    assert space.log("mended") == "here\n"


def test_a_container_that_starts_again_sees_the_part_as_it_is_then(space: Space) -> None:
    space.config_map("held", one="1")
    volumes = [{"name": "v", "configMap": {"name": "held"}}, empty("state")]
    script = "cat /one; [ -e /state/2 ] && exit 0; until [ -e /state/go ]; do sleep 0.1; done"
    script += "; touch /state/2; exit 1"
    main = pods.container(
        space.image, script, volumeMounts=[mount("/one", subPath="one"), mount("/state", "state")]
    )
    watch = "until [ $(cat /all/one) = 2 ]; do sleep 0.1; done; touch /state/go"
    other = pods.container(
        space.image, watch, name="other", volumeMounts=[mount("/all"), mount("/state", "state")]
    )
    space.create(pods.pod("again", main, other, volumes=volumes, restartPolicy="OnFailure"))
    space.ready("again")
    space.rest.patch(space.path("configmaps", "held"), {"data": {"one": "2"}})
    space.phase("again", "Succeeded", timeout=60)
    assert space.log("again", container="main") == "2"


# --- paths of the host ---


def test_types_of_host_paths(space: Space, place: Path) -> None:
    """What is there passes, what is missing is made."""
    (place / "file").touch()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place / "socket"))
    os.mknod(place / "char", 0o600 | 0o020000, os.makedev(1, 3))
    kinds = {
        "file": "File",
        "socket": "Socket",
        "char": "CharDevice",
        "made-file": "FileOrCreate",
        "made": "DirectoryOrCreate",
        "untyped": "",
    }
    volumes = [host(place / path, kind, path) for path, kind in kinds.items()]
    mounts = [mount(f"/v/{path}", path) for path in kinds]
    script = "cd /v; for each in *; do echo $each $(stat -c '%F %a' $each | tr ' ' -); done; touch made/x"
    log = space.run_through("types", script, container={"volumeMounts": mounts}, volumes=volumes)
    said = dict(line.split() for line in log.splitlines())
    assert said["made"] == "directory-755"
    assert said["made-file"] == "regular-empty-file-644"
    assert said["untyped"] == "directory-755"
    assert said["socket"].startswith("socket")
    assert said["char"].startswith("character-special-file")
    assert (place / "made" / "x").exists()


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("Directory", "is not a directory"),
        ("DirectoryOrCreate", "is not a directory"),
        ("Socket", "is not a socket file"),
        ("CharDevice", "is not a character device"),
        ("BlockDevice", "is not a block device"),
    ],
)
def test_host_paths_of_another_type(space: Space, place: Path, kind: str, what: str) -> None:
    (place / "file").touch()
    container = {"volumeMounts": [mount("/v")]}
    space.run("held", container=container, volumes=[host(place / "file", kind)])
    message = space.event("held", "FailedMount")["message"]
    why = f"hostPath type check failed: {place}/file {what}"
    assert message == f'MountVolume.SetUp failed for volume "v" : {why}'


# --- read-only, and mounts passed on ---


def test_read_only_mounts(space: Space) -> None:
    """Also with what is mounted below only if that can be; where it must be, the container does not start."""
    either = mount("/some", readOnly=True, recursiveReadOnly="IfPossible")
    mounts = [mount("/v"), mount("/read", readOnly=True), either]
    script = "touch /v/x; touch /read/y 2>&1; touch /some/z 2>&1; ls /read; " + pods.IDLE
    space.run("read", script, container={"volumeMounts": mounts}, volumes=[empty()])
    must = mount("/must", readOnly=True, recursiveReadOnly="Enabled")
    space.run("must", container={"volumeMounts": [must]}, volumes=[empty()])
    pod = space.ready("read")
    shown = {each["mountPath"]: each for each in pods.status_of(pod)["volumeMounts"]}
    assert "recursiveReadOnly" not in shown["/v"]
    assert shown["/read"]["recursiveReadOnly"] == "Disabled"
    supported = shown["/some"]["recursiveReadOnly"] == "Enabled"
    eventually(lambda: "x\n" in space.log("read"), what="the container has looked")
    assert space.log("read").count("Read-only file system") == 2
    if supported:
        space.ready("must")
        return
    assert refused(space, "must") == (
        'failed to resolve recursive read-only mode: volume "v" requested recursive read-only mode, '
        "but it is not supported by the runtime"
    )


@pytest.fixture
def shared(place: Path) -> Iterator[Path]:
    """A mount of the node's that passes mounts on."""
    directory = place / "shared"
    directory.mkdir()
    subprocess.run(["mount", "--bind", directory, directory], check=True)
    subprocess.run(["mount", "--make-shared", directory], check=True)
    yield directory
    while (
        subprocess.run(["umount", "--recursive", directory], capture_output=True, check=False).returncode == 0
    ):
        pass


def test_mounts_are_passed_on(space: Space, shared: Path) -> None:
    """As upstream's table: who sees the mounts of master, slave and private container, and of the host."""
    modes = {"master": "Bidirectional", "slave": "HostToContainer", "private": "None", "default": None}
    created = []
    for name, mode in modes.items():
        (shared / name).mkdir()
        propagation = {"mountPropagation": mode} if mode else {}
        script = (
            f"mount -t tmpfs e2e-mount-{name} /v/{name} && echo {name} > /v/{name}/file; touch /tmp/mounted; "
            + pods.IDLE
        )
        created.append(
            pods.container(
                space.image,
                script,
                name=name,
                volumeMounts=[mount("/v", **propagation)],
                **PRIVILEGED,
            )
        )
    (shared / "host").mkdir()
    space.create(pods.pod("passed", *created, volumes=[host(shared)]))
    space.ready("passed")
    subprocess.run(["mount", "-t", "tmpfs", "e2e-mount-host", shared / "host"], check=True)
    (shared / "host" / "file").write_text("host\n")
    eventually(lambda: (shared / "master" / "file").exists(), what="the host sees the master's mount")
    seen = {name: look(space, name) for name in modes}
    assert seen["master"] == {"master", "host"}
    assert seen["slave"] == {"master", "slave", "host"}
    assert seen["private"] == {"private"}
    assert seen["default"] == {"default"}
    assert {each.parent.name for each in shared.glob("*/file")} == {"master", "host"}
    space.remove_pod("passed")


def look(space: Space, container: str) -> set[str]:
    """Whose mounts it sees, told by its log: an ephemeral look would not share its mounts."""
    pid = next(
        pid
        for pid in filter(str.isdigit, os.listdir("/proc"))
        if f"e2e-mount-{container} /v".encode() in _command(pid) and b"sh" in _command(pid)
    )
    return {each.parent.name for each in Path(f"/proc/{pid}/root/v").glob("*/file")}


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_mounts_in_an_empty_directory_are_passed_on_and_go_with_the_pod(
    space: Space, cluster: Cluster
) -> None:
    main = pods.container(
        space.image,
        "mkdir /v/m; mount -t tmpfs made-in-a-pod /v/m; echo seen > /v/m/file; " + pods.IDLE,
        volumeMounts=[mount("/v", mountPropagation="Bidirectional")],
        **PRIVILEGED,
    )
    script = "until cat /v/m/file 2>/dev/null; do sleep 0.1; done; " + pods.IDLE
    other = pods.container(
        space.image, script, name="other", volumeMounts=[mount("/v", mountPropagation="HostToContainer")]
    )
    pod = space.create(pods.pod("passed", main, other, volumes=[empty()]))
    eventually(lambda: space.log("passed", container="other") == "seen\n", what="the other sees it")
    space.remove_pod("passed")
    uid = pod["metadata"]["uid"]
    eventually(lambda: uid not in Path("/proc/self/mountinfo").read_text(), what="nothing stays mounted")


def test_a_host_path_that_is_no_shared_mount_cannot_pass_mounts_on(space: Space, place: Path) -> None:
    """The runtime refuses it; upstream shows its words."""
    subprocess.run(["mount", "-t", "tmpfs", "--make-private", "private", place], check=True)
    try:
        mounts = {"volumeMounts": [mount("/v", mountPropagation="Bidirectional")]}
        space.run(
            "held", container={**mounts, "securityContext": {"privileged": True}}, volumes=[host(place)]
        )
        assert "is not a shared mount" in refused(space, "held", "CreateContainerError")
        space.remove_pod("held")
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


# --- the volume's group ---


def test_a_group_is_given_only_where_the_root_is_not_its_own(space: Space, place: Path) -> None:
    """fsGroupChangePolicy counts for volumes that outlive pods; hostPath volumes are never changed."""
    (place / "file").touch(mode=0o600)
    script = "stat -c '%g %a' /v /v/file; id -G"
    context = {"fsGroup": 4321, "fsGroupChangePolicy": "OnRootMismatch", "supplementalGroups": [77]}
    log = space.run_through(
        "group",
        script,
        container={"volumeMounts": [mount("/v")]},
        volumes=[host(place)],
        securityContext=context,
    )
    assert log.splitlines()[:2] == ["0 755", "0 600"]
    assert {"77", "4321"} <= set(log.splitlines()[2].split())
