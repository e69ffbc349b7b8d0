"""What a node refuses or changes for security's sake."""

from pathlib import Path
from typing import Any

import pytest
from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object
from runtime.container_runtime import RuntimeEventKind
from runtime.kubelet_configuration import KubeletConfiguration
from runtime.pods import observed
from runtime.pods.abilities import (
    Abilities,
    HandlerFeatures,
    RuntimeFeatures,
    kernel_version,
    runtime_features,
)
from runtime.pods.containers import user_namespaces
from runtime.pods.containers.security import SecurityDefaults, container_context, sandbox_context
from runtime.pods.containers.subordinate_ids import NoSubordinateIds, ids_for_pods
from runtime.pods.containers.user_namespaces import NoUserNamespace
from runtime.pods.environment.variables import ConfigError
from runtime.pods.identity import PodIdentity
from runtime.pods.paths import PodPaths
from runtime.tests.pod_node import PodNode, a_container, a_pod, pod_node

OLD = Abilities(kernel=(6, 1), apparmor=False, runtime=RuntimeFeatures)


def context(pod: Object | None = None, **container: Any) -> cri.LinuxContainerSecurityContext:
    held = a_container(securityContext=container)
    defaults = SecurityDefaults(Path("/node/seccomp"), masked=("/sys/hot",))
    return container_context(pod or a_pod(), held, cri.Image(), defaults)


def test_a_local_seccomp_profile_lies_below_the_nodes_directory() -> None:
    made = context(seccompProfile={"type": "Localhost", "localhostProfile": "profiles/audit.json"})
    assert made.seccomp.profile_type == cri.SecurityProfile.Localhost
    assert made.seccomp.localhost_ref == "/node/seccomp/profiles/audit.json"


@pytest.mark.parametrize("name", ["../etc/shadow", "/etc/shadow", "a/../../b"])
def test_a_local_seccomp_profile_cannot_lie_elsewhere(name: str) -> None:
    with pytest.raises(ConfigError, match="below the directory"):
        context(seccompProfile={"type": "Localhost", "localhostProfile": name})


def test_containers_without_a_profile_are_unconfined_unless_the_node_says_otherwise() -> None:
    assert context().seccomp.profile_type == cri.SecurityProfile.Unconfined
    confined = container_context(a_pod(), a_container(), cri.Image(), SecurityDefaults(seccomp=True))
    assert confined.seccomp.profile_type == cri.SecurityProfile.RuntimeDefault


def test_an_apparmor_profile_comes_from_the_container_its_annotation_or_the_pod() -> None:
    pod = a_pod(securityContext={"appArmorProfile": {"type": "RuntimeDefault"}})
    assert context(pod).apparmor_profile == "runtime/default"
    pod["metadata"]["annotations"] = {"container.apparmor.security.beta.kubernetes.io/main": "localhost/mine"}
    assert context(pod).apparmor.localhost_ref == "mine"
    assert context(pod, appArmorProfile={"type": "Unconfined"}).apparmor_profile == "unconfined"
    assert not context(a_pod()).HasField("apparmor")


def test_selinux_labels_are_passed_on() -> None:
    pod = a_pod(securityContext={"seLinuxOptions": {"level": "s0:c1"}})
    assert context(pod).selinux_options.level == "s0:c1"
    assert sandbox_context(pod).selinux_options.level == "s0:c1"


def test_a_privileged_container_that_comes_later_makes_the_sandbox_privileged() -> None:
    """The runtime refuses it else; it is told the sandbox's configuration anew with each container."""
    assert not sandbox_context(a_pod()).privileged
    debugger = {"name": "debug", "image": "app:1", "securityContext": {"privileged": True}}
    assert sandbox_context(a_pod(ephemeralContainers=[debugger])).privileged


def test_paths_are_masked_unless_proc_is_to_be_seen_whole() -> None:
    assert {"/proc/kcore", "/sys/hot"} <= set(context().masked_paths)
    assert not context(procMount="Unmasked").masked_paths


def test_an_image_with_an_impossible_user_is_refused_where_it_must_not_be_root() -> None:
    image = cri.Image(uid=cri.Int64Value(value=2**31))
    held = a_container(securityContext={"runAsNonRoot": True})
    with pytest.raises(ConfigError, match=r"image has an invalid user id \(2147483648\)"):
        container_context(a_pod(), held, image)


# --- refusals of whole pods ---


async def refused(node: PodNode, pod: Object) -> tuple[str, str]:
    node.create(pod)
    await node.until(lambda: node.status().get("phase") == "Failed")
    assert "run_pod_sandbox" not in node.runtime.verbs()
    status = node.status()
    assert (status["reason"], status["message"].removeprefix("Pod was rejected: ")) in await node.events()
    return status["reason"], status["message"]


@pytest.mark.parametrize(
    ("security", "reason", "message"),
    [
        (
            {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]},
            "SysctlForbidden",
            'Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted',
        ),
        (
            {"supplementalGroupsPolicy": "Strict"},
            "SupplementalGroupsPolicyNotSupported",
            "Pod was rejected: SupplementalGroupsPolicy=Strict is not supported in this node",
        ),
        (
            {"appArmorProfile": {"type": "RuntimeDefault"}},
            "AppArmor",
            "Pod was rejected: Cannot enforce AppArmor: AppArmor is not enabled on the host",
        ),
    ],
    ids=["sysctl", "groups", "apparmor"],
)
async def test_a_pod_is_refused(tmp_path: Path, security: Object, reason: str, message: str) -> None:
    async with pod_node(tmp_path) as node:
        node.context.abilities = OLD
        assert await refused(node, a_pod(securityContext=security)) == (reason, message)


async def test_a_sysctl_that_the_node_allows_is_set(tmp_path: Path) -> None:
    async with pod_node(tmp_path) as node:
        node.context.kubelet = KubeletConfiguration(allowed_unsafe_sysctls=("kernel.msg*",))
        node.create(a_pod(securityContext={"sysctls": [{"name": "kernel/msgmax", "value": "1"}]}))
        await node.running()
        assert dict(node.runtime.sandbox_configs[0].linux.sysctls) == {"kernel.msgmax": "1"}


# --- user namespaces ---


def paths(root: Path, uid: str) -> PodPaths:
    made = PodPaths(root, PodIdentity("n", "p", uid))
    made.directory.mkdir(parents=True)
    return made


def test_each_pod_has_ids_of_its_own_and_keeps_them(tmp_path: Path) -> None:
    one, two, three = (paths(tmp_path, uid) for uid in ("one", "two", "three"))
    firsts = [user_namespaces.allocate(each).uids[0].host_id for each in (one, two)]
    assert firsts == [65536, 131072]
    assert user_namespaces.allocate(one).uids[0].host_id == 65536
    (one.directory / "userns").unlink()
    assert user_namespaces.allocate(three).gids[0].host_id == 65536
    assert user_namespaces.recorded(one) is None


def test_only_so_many_pods_have_ids(tmp_path: Path) -> None:
    one, two = (paths(tmp_path, uid) for uid in ("one", "two"))
    assert user_namespaces.allocate(one, range(131072, 196608)).uids[0].host_id == 131072
    with pytest.raises(NoUserNamespace, match="all ranges are in use"):
        user_namespaces.allocate(two, range(131072, 196608))


def test_ids_that_are_set_aside_for_pods_are_taken() -> None:
    told = {"kubelet": "0: kubelet 131072 7208960\n"}
    ids = ids_for_pods(65536, is_known=lambda user: True, ask=lambda command: told[command[-1]])
    assert ids == range(131072, 131072 + 7208960)
    assert ids_for_pods(65536, is_known=lambda user: False) == range(65536, 2**32)


@pytest.mark.parametrize(
    ("users", "groups", "why"),
    [
        ("0: kubelet 1 2\n", "0: kubelet 3 4\n", "mismatched subuids and subgids"),
        ("", "", "cannot tell the subordinate ids"),
        ("0: kubelet 1 2\n1: kubelet 5 6\n", "0: kubelet 1 2\n1: kubelet 5 6\n", "cannot tell"),
    ],
    ids=["different", "none", "two"],
)
def test_ids_that_are_set_aside_otherwise_are_an_error(users: str, groups: str, why: str) -> None:
    with pytest.raises(NoSubordinateIds, match=why):
        ids_for_pods(65536, is_known=lambda _: True, ask=lambda command: groups if "-g" in command else users)


def test_a_runtime_without_user_namespaces_is_named() -> None:
    old = RuntimeFeatures()
    with pytest.raises(NoUserNamespace, match=r"`spec\.hostUsers: false`, runtime does not support user"):
        user_namespaces.check_runtime(old, "")
    some = RuntimeFeatures((("", HandlerFeatures(user_namespaces=True)), ("kata", HandlerFeatures())))
    user_namespaces.check_runtime(some, "")
    with pytest.raises(NoUserNamespace, match='RuntimeClass handler "kata" does not support user namespaces'):
        user_namespaces.check_runtime(some, "kata")


async def test_a_pod_gets_its_user_namespace(tmp_path: Path) -> None:
    async with pod_node(tmp_path) as node:
        node.create(a_pod(hostUsers=False))
        await node.running()
        options = node.runtime.sandbox_configs[0].linux.security_context.namespace_options
        assert (options.userns_options.mode, options.userns_options.uids[0].length) == (cri.POD, 65536)
        held = node.runtime.configs[node.runtime.named("main")[0].id].linux.security_context
        assert held.namespace_options.userns_options == options.userns_options
        mounts = node.runtime.configs[node.runtime.named("main")[0].id].mounts
        assert {each.container_path for each in mounts} == {"/etc/hosts", "/dev/termination-log"}
        assert all(each.uidMappings == options.userns_options.uids for each in mounts)


async def test_a_pod_that_cannot_have_one_is_told(tmp_path: Path) -> None:
    async with pod_node(tmp_path) as node:
        node.context.abilities = OLD
        node.create(a_pod(hostUsers=False))
        why = (
            "Failed to create pod sandbox: can't set `spec.hostUsers: false`, "
            "runtime does not support user namespaces"
        )
        await node.until(lambda: node.status().get("phase") == "Pending")
        assert ("FailedCreatePodSandBox", why) in await node.events()


# --- what containers may write ---


async def test_a_hosts_file_that_a_container_spoilt_is_written_anew(tmp_path: Path) -> None:
    async with pod_node(tmp_path) as node:
        node.create(a_pod())
        await node.running()
        (file,) = tmp_path.glob("pods/*/etc-hosts")
        file.write_bytes(b"\xff" * 100)
        node.runtime.exit("main", 1)
        await node.clock.advance(10)
        await node.until(lambda: len(node.runtime.named("main")) == 2)
        await node.until(lambda: file.read_bytes().startswith(b"# Kubernetes-managed hosts file."))


# --- RuntimeClass ---


async def test_a_runtime_class_names_the_handler(tmp_path: Path) -> None:
    async with pod_node(tmp_path) as node:
        node.client.put(
            {
                "apiVersion": "node.k8s.io/v1",
                "kind": "RuntimeClass",
                "metadata": {"name": "safe"},
                "handler": "kata",
            }
        )
        node.create(a_pod(runtimeClassName="safe"))
        await node.running()
        assert node.runtime.handlers == ["kata"]


async def test_a_runtime_class_that_is_gone_holds_the_pod(tmp_path: Path) -> None:
    async with pod_node(tmp_path) as node:
        node.create(a_pod(runtimeClassName="gone"))
        why = 'Failed to create pod sandbox: runtimeclass.node.k8s.io "gone" not found'
        await node.until(lambda: node.status().get("phase") == "Pending")
        assert ("FailedCreatePodSandBox", why) in await node.events()


# --- what the runtime says ---


async def test_the_user_of_a_container_is_shown_where_the_runtime_tells_it(tmp_path: Path) -> None:
    async with pod_node(tmp_path) as node:
        node.create(a_pod())
        await node.running()
        assert "user" not in node.container()
        held = node.runtime.named("main")[0]
        held.user.linux.CopyFrom(cri.LinuxContainerUser(uid=7, gid=8, supplemental_groups=[8, 9]))
        node.runtime.emit(RuntimeEventKind.RELIST)
        await node.until(lambda: "user" in node.container())
        expected = {"linux": {"uid": 7, "gid": 8, "supplementalGroups": [8, 9]}}
        assert node.container()["user"] == expected


def test_the_message_is_in_the_file_that_was_mounted_last() -> None:
    mounts = [cri.Mount(container_path="/m", host_path=path) for path in ("/volumes/theirs", "/own")]
    status = cri.ContainerStatus(
        annotations={"io.kubernetes.container.terminationMessagePath": "/m"}, mounts=mounts
    )
    assert observed.container(status, "").termination_path == "/own"


def test_features_are_what_the_runtime_tells() -> None:
    assert runtime_features(cri.StatusResponse()) == RuntimeFeatures()
    told = cri.StatusResponse(
        runtime_handlers=[
            cri.RuntimeHandler(name="runc", features=cri.RuntimeHandlerFeatures(user_namespaces=True))
        ],
        features=cri.RuntimeFeatures(supplemental_groups_policy=True),
    )
    assert runtime_features(told).handler("runc") == HandlerFeatures(user_namespaces=True)
    assert runtime_features(told).supplemental_groups_policy


def test_the_kernels_version() -> None:
    assert kernel_version("6.1.0-18-amd64") == (6, 1)
    assert kernel_version("strange") == ()
