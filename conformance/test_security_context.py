"""Security contexts as containers find them: users, groups, capabilities, privileges, seccomp, the root."""

import json
import re
from typing import Any

import pytest

from conformance import pods, testimage
from conformance.absence import absent
from conformance.cluster import Cluster
from conformance.rest import Object
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")
STATUS = "id -u; id -g; id -G; cat /proc/self/status; "
ROOT = 'touch /x 2>/dev/null && echo "root: written" || echo "root: read-only"; '
MASKED = """
exec 2>/dev/null
for path in /proc/kcore /proc/keys /proc/timer_list; do test -s $path || echo "masked: $path"; done
echo x > /proc/sys/kernel/domainname && echo "sys: written"
awk '$5 == "/proc/sys" || $5 == "/sys" {split($6, o, ","); print "mount:", $5, o[1]}' /proc/self/mountinfo
ls /dev | wc -l | sed 's/^/devices: /'
"""
DEFAULT = 0xA80425FB
"""What containerd lets containers have: chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap,
net_bind_service, net_raw, sys_chroot, mknod, audit_write, setfcap.
"""
NET_RAW, NET_ADMIN, SYS_TIME = 1 << 13, 1 << 12, 1 << 25


def inside(space: Space, name: str, **context: Any) -> Object:
    return pods.container(space.image, STATUS + ROOT + MASKED, name=name, securityContext=context)


@pytest.fixture(scope="module")
def found(shared_space: Space) -> dict[str, str]:
    """What the containers of one pod say of themselves, by name."""
    space = shared_space
    containers = [
        inside(space, "plain"),
        inside(space, "user", runAsUser=65534, runAsGroup=3000),
        inside(space, "root", runAsUser=0, runAsGroup=0, runAsNonRoot=False),
        inside(space, "non-root", runAsNonRoot=True, runAsUser=1001),
        inside(space, "read-only", readOnlyRootFilesystem=True),
        inside(space, "none", capabilities={"drop": ["ALL"]}),
        inside(space, "some", capabilities={"drop": ["NET_RAW"], "add": ["SYS_TIME", "NET_ADMIN"]}),
        inside(space, "one", capabilities={"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}),
        inside(space, "every", capabilities={"add": ["ALL"]}),
        inside(space, "contained", allowPrivilegeEscalation=False),
        inside(space, "escalating", allowPrivilegeEscalation=True, runAsUser=1000),
        inside(space, "filtered", seccompProfile={"type": "RuntimeDefault"}),
        inside(space, "unfiltered", seccompProfile={"type": "Unconfined"}),
        inside(space, "privileged", privileged=True, seccompProfile={"type": "RuntimeDefault"}),
    ]
    pod_context = {"fsGroup": 4000, "supplementalGroups": [5000, 6000]}
    return space.run_all("contexts", *containers, securityContext=pod_context)


def ids(text: str) -> list[str]:
    return text.splitlines()[:3]


def status(text: str, field: str) -> str:
    match = re.search(rf"^{field}:\s*(\S+)", text, re.MULTILINE)
    assert match, text
    return match[1]


def capabilities(text: str, field: str = "CapBnd") -> int:
    return int(status(text, field), 16)


def test_the_images_user_is_root_with_the_pods_groups(found: dict[str, str]) -> None:
    assert ids(found["plain"]) == ["0", "0", "0 4000 5000 6000"]


def test_a_user_and_group_are_chosen(found: dict[str, str]) -> None:
    image, pod = {"7000"}, {"3000", "4000", "5000", "6000"}
    user, group, groups = ids(found["user"])
    assert (user, group, set(groups.split())) == ("65534", "3000", image | pod)
    assert ids(found["root"])[:2] == ["0", "0"]
    assert ids(found["non-root"])[0] == "1001"


def test_the_root_file_system(found: dict[str, str]) -> None:
    assert "root: read-only" in found["read-only"]
    assert "root: written" in found["plain"]


def test_capabilities_are_the_runtimes_default(found: dict[str, str]) -> None:
    assert capabilities(found["plain"]) == capabilities(found["plain"], "CapEff") == DEFAULT
    assert capabilities(found["user"]) == DEFAULT
    assert capabilities(found["user"], "CapEff") == 0


def test_capabilities_are_dropped_and_added(found: dict[str, str]) -> None:
    assert capabilities(found["none"]) == 0
    assert capabilities(found["some"]) == (DEFAULT & ~NET_RAW) | SYS_TIME | NET_ADMIN
    assert capabilities(found["one"]) == 1 << 10
    assert capabilities(found["every"]) > DEFAULT


def test_privileges_cannot_be_gained_where_that_is_forbidden(found: dict[str, str]) -> None:
    assert status(found["contained"], "NoNewPrivs") == "1"
    for name in ("plain", "escalating", "privileged"):
        assert status(found[name], "NoNewPrivs") == "0", name


def test_system_calls_are_filtered_where_it_is_asked_for(found: dict[str, str]) -> None:
    assert status(found["filtered"], "Seccomp") == "2"
    for name in ("plain", "unfiltered", "privileged"):
        assert status(found[name], "Seccomp") == "0", name


def test_the_kernels_secrets_are_masked(found: dict[str, str]) -> None:
    for name in ("plain", "every"):
        assert {"masked: /proc/kcore", "masked: /proc/keys", "masked: /proc/timer_list"} <= set(
            found[name].splitlines()
        )
        assert "mount: /proc/sys ro" in found[name]
        assert "mount: /sys ro" in found[name]
        assert "sys: written" not in found[name]


def test_a_privileged_container_has_everything(found: dict[str, str]) -> None:
    assert capabilities(found["privileged"]) == capabilities(found["every"])
    assert "mount: /sys rw" in found["privileged"]
    assert "mount: /proc/sys" not in found["privileged"]
    devices = {name: int(re.findall(r"devices: (\d+)", found[name])[0]) for name in ("plain", "privileged")}
    assert devices["privileged"] > devices["plain"]


def test_a_privileged_container_changes_network_devices(space: Space) -> None:
    script = "ip link add dummy1 type dummy 2>&1 && echo done || echo refused"
    logs = space.run_all(
        "links",
        pods.container(space.image, script, name="plain"),
        pods.container(space.image, script, name="privileged", securityContext={"privileged": True}),
    )
    assert logs["plain"].splitlines()[-1] == "refused"


def test_a_privileged_container_may_join_a_pod_without_privileges(space: Space) -> None:
    space.run_ready("examined")
    script = "grep CapBnd /proc/self/status"
    look = pods.container(space.image, script, name="look", securityContext={"privileged": True})
    path, patch = space.path("pods", "examined"), {"spec": {"ephemeralContainers": [look]}}
    kind = "application/strategic-merge-patch+json"
    space.rest.patch(f"{path}/ephemeralcontainers", patch, content_type=kind)

    def told() -> str:
        text: str = space.rest.request("GET", f"{path}/log", container="look").text
        return text if "CapBnd" in text else ""

    assert capabilities(eventually(told, what="it has looked")) > DEFAULT


def test_a_container_that_would_be_root_is_held_when_it_must_not(space: Space) -> None:
    contexts: dict[str, Object] = {
        "image": {"runAsNonRoot": True},
        "explicit": {"runAsNonRoot": True, "runAsUser": 0},
    }
    containers = [
        pods.container(space.image, name=name, securityContext=each) for name, each in contexts.items()
    ]
    space.create(pods.pod("rooted", *containers))
    held = lambda pod: all(  # noqa: E731
        pods.waiting_reason(pod, name) == "CreateContainerConfigError" for name in contexts
    )
    pod = space.until("rooted", held, what="is held")
    where = f'(pod: "rooted_{space.name}({pod["metadata"]["uid"]})", container: '
    messages = {name: pods.status_of(pod, name)["state"]["waiting"]["message"] for name in contexts}
    assert messages == {
        "image": f"container has runAsNonRoot and image will run as root {where}image)",
        "explicit": f"container's runAsUser breaks non-root policy {where}explicit)",
    }


@pytest.fixture(scope="module")
def images(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Images that say as whom they run, by the user that they name."""
    if cluster.home is None:
        absent("images are loaded into a cluster that the suite has started")
    names = {user: f"kubeling.test/as-{user}:1" for user in ("1234", "nobody")}
    directory = tmp_path_factory.mktemp("images")
    for user, name in names.items():
        (directory / user).write_bytes(testimage.build(user=user).docker_archive(name))
    cluster.kubeling("image", "load", *(str(directory / user) for user in names))
    return names


def test_the_images_user_is_the_containers(space: Space, images: dict[str, str]) -> None:
    """With the groups that the image gives it, and those of the pod."""
    containers: list[Object] = [
        {"name": "number", "image": images["1234"], "command": ["id"]},
        {"name": "name", "image": images["nobody"], "command": ["id", "-G"]},
        {
            "name": "checked",
            "image": images["1234"],
            "command": ["id", "-u"],
            "securityContext": {"runAsNonRoot": True},
        },
        {
            "name": "other",
            "image": images["nobody"],
            "command": ["id", "-u"],
            "securityContext": {"runAsUser": 0},
        },
    ]
    logs = space.run_all("imaged", *containers, securityContext={"supplementalGroups": [5000]})
    assert logs["number"].startswith("uid=1234 gid=0")
    assert sorted(logs["name"].split()) == ["5000", "65534", "7000"]
    assert (logs["checked"], logs["other"]) == ("1234\n", "0\n")


def test_a_user_that_is_only_named_may_be_root(space: Space, images: dict[str, str]) -> None:
    space.run("named", container={"image": images["nobody"], "securityContext": {"runAsNonRoot": True}})
    held = lambda pod: pods.waiting_reason(pod) == "CreateContainerConfigError"  # noqa: E731
    message = pods.status_of(space.until("named", held, what="is held"))["state"]["waiting"]["message"]
    why = "container has runAsNonRoot and image has non-numeric user (nobody), cannot verify user is non-root"
    assert message.startswith(why)


def test_the_policy_strict_needs_a_runtime_that_keeps_to_it(space: Space) -> None:
    space.run("strict", "id -G", securityContext={"supplementalGroupsPolicy": "Strict"})
    pod = space.until("strict", lambda pod: pod["status"]["phase"] in ("Failed", "Succeeded"), what="ends")
    node = space.rest.get(f"/api/v1/nodes/{pod['spec']['nodeName']}")
    if (node["status"].get("features") or {}).get("supplementalGroupsPolicy"):
        assert pod["status"]["phase"] == "Succeeded"
        return
    assert pod["status"]["reason"] == "SupplementalGroupsPolicyNotSupported"
    why = "SupplementalGroupsPolicy=Strict is not supported in this node"
    assert pod["status"]["message"] == f"Pod was rejected: {why}"
    assert space.event("strict", "SupplementalGroupsPolicyNotSupported")["message"] == why


def test_user_namespaces_need_a_runtime_that_has_them(space: Space) -> None:
    pod = space.run("apart", "cat /proc/self/uid_map", hostUsers=False)
    node = eventually_bound(space, pod)
    handlers = {
        each["name"]: each.get("features") or {} for each in node["status"].get("runtimeHandlers") or []
    }
    if handlers.get("", {}).get("userNamespaces"):
        space.phase("apart", "Succeeded")
        assert space.log("apart").split()[2] == "65536"
        return
    why = (
        "Failed to create pod sandbox: can't set `spec.hostUsers: false`, "
        "runtime does not support user namespaces"
    )
    assert space.event("apart", "FailedCreatePodSandBox")["message"] == why


def eventually_bound(space: Space, pod: Object) -> Object:
    name = pod["metadata"]["name"]
    bound = space.until(name, lambda pod: pod["spec"].get("nodeName"), what="is bound")
    node: Object = space.rest.get(f"/api/v1/nodes/{bound['spec']['nodeName']}")
    return node


def test_a_seccomp_profile_of_the_nodes(space: Space, cluster: Cluster) -> None:
    if cluster.home is None:
        absent("profiles are files of a node that the suite has started")
    profiles = cluster.home / "node" / "seccomp" / "profiles"
    profiles.mkdir(parents=True, exist_ok=True)
    deny = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}
    (profiles / "no-mkdir.json").write_text(
        json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [deny]})
    )
    profile = {"type": "Localhost", "localhostProfile": "profiles/no-mkdir.json"}
    script = "mkdir /x 2>/dev/null || echo denied"
    log = space.run_through("local", script, container={"securityContext": {"seccompProfile": profile}})
    assert log == "denied\n"


def test_a_seccomp_profile_that_is_not_there_holds_the_container(space: Space) -> None:
    profile = {"type": "Localhost", "localhostProfile": "absent.json"}
    space.run("lost", container={"securityContext": {"seccompProfile": profile}})
    held = lambda pod: pods.waiting_reason(pod) == "CreateContainerError"  # noqa: E731
    pod = space.until("lost", held, what="is held")
    assert "absent.json" in pods.status_of(pod)["state"]["waiting"]["message"]


def test_an_apparmor_profile_needs_a_kernel_with_apparmor(space: Space) -> None:
    profile = {"appArmorProfile": {"type": "RuntimeDefault"}}
    space.run("armored", "cat /proc/self/attr/current", securityContext=profile)
    pod = space.until("armored", lambda pod: pod["status"]["phase"] in ("Failed", "Succeeded"), what="ends")
    if pod["status"]["phase"] == "Succeeded":
        assert "cri-containerd.apparmor.d" in space.log("armored")
        return
    why = "Cannot enforce AppArmor: AppArmor is not enabled on the host"
    assert (pod["status"]["reason"], pod["status"]["message"]) == ("AppArmor", f"Pod was rejected: {why}")
    assert space.event("armored", "AppArmor")["message"] == why
