"""Claims in containers: volumes of type hostPath and local, block devices, claims made for a pod."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conformance import pods
from conformance.cluster import Cluster
from conformance.rest import Object, Rest
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")
VOLUMES = "/api/v1/persistentvolumes"


@dataclass(frozen=True)
class Claimed:
    """A pod that has used all its claims, and where their volumes lie on the node."""

    space: Space
    places: Path
    log: list[str]
    before: Object

    def remove(self) -> None:
        """Whichever test needs it first."""
        if self.space.rest.request("GET", self.space.path("pods", "claims")).code == 200:
            self.space.remove_pod("claims")


@pytest.fixture(scope="module")
def device(cluster: Cluster, containers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A small block device without anything on it."""
    if not cluster.home:
        pytest.skip("the node's devices are not ours")
    file = tmp_path_factory.mktemp("device") / "disk"
    with file.open("wb") as disk:
        disk.truncate(8 * 2**20)
    made = subprocess.run(["losetup", "--find", "--show", file], capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no loop device: {made.stderr}")
    yield made.stdout.strip()
    subprocess.run(["losetup", "--detach", made.stdout.strip()], check=True)


@pytest.fixture(scope="module")
def claimed(
    shared_space: Space, cluster: Cluster, device: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Claimed]:
    """One pod with a claim of each sort, through to its end."""
    places, space = tmp_path_factory.mktemp("places"), shared_space
    for name in ("host", "local", "read", "own"):
        (places / name).mkdir()
        (places / name / "old").write_text(f"{name}\n")
        (places / name / "old").chmod(0o600)
    (places / "local").chmod(0o700)
    names = {
        "host": provide(space, hostPath={"path": str(places / "host")}),
        "local": provide(space, "local", **local(space, places / "local")),
        "read": provide(space, "read", **local(space, places / "read")),
        "raw": provide(space, "raw", **local(space, Path(device)), volumeMode="Block"),
        "own": provide(space, "own", claim=False, **local(space, places / "own")),
    }
    mounted = ("host", "local", "read", "own")
    volumes = [claim(names[each], each) for each in ("host", "local", "read", "raw")]
    volumes[2]["persistentVolumeClaim"]["readOnly"] = True
    volumes.append({"name": "own", "ephemeral": {"volumeClaimTemplate": {"spec": wish(names["own"])}}})
    main = pods.container(
        space.image,
        SCRIPT,
        volumeMounts=[{"name": each, "mountPath": f"/{each}"} for each in mounted],
        volumeDevices=[{"name": "raw", "devicePath": "/dev/raw"}],
    )
    space.create(pods.pod("claims", main, volumes=volumes, securityContext={"fsGroup": 4321}))
    before = space.phase("claims", "Succeeded", timeout=60)
    yield Claimed(space, places, space.log("claims").splitlines(), before)
    space.rest.delete(VOLUMES, labelSelector=f"space={space.name}")


SCRIPT = """
for each in host local read own; do cat /$each/old; done
for each in host local own; do echo new > /$each/new; done
touch /read/new 2>&1
stat -c '%g %a' /local /local/old /host/old
echo data | dd of=/dev/raw conv=sync bs=512 count=1 2>/dev/null; head -c 5 /dev/raw
"""


def provide(space: Space, name: str = "host", *, claim: bool = True, **spec: Any) -> str:
    """A volume and, unless it is made for a pod, the claim on it; returns the volume's name."""
    body = {
        "metadata": {"name": f"{space.name}-{name}", "labels": {"space": space.name}},
        "spec": {"capacity": {"storage": "1Mi"}, "accessModes": ["ReadWriteOnce"], **spec},
    }
    made: Object = space.rest.post(VOLUMES, {"apiVersion": "v1", "kind": "PersistentVolume", **body})
    volume_name: str = made["metadata"]["name"]
    if claim:
        wanted = {**wish(volume_name), "volumeMode": spec.get("volumeMode", "Filesystem")}
        kind = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
        space.create({**kind, "metadata": {"name": volume_name}, "spec": wanted}, "persistentvolumeclaims")
    return volume_name


def wish(volume_name: str) -> Object:
    """What a claim on that volume says."""
    return {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Mi"}},
        "storageClassName": "",
        "volumeName": volume_name,
    }


def local(space: Space, path: Path) -> Object:
    node = space.rest.get("/api/v1/nodes")["items"][0]
    values = [node["metadata"]["labels"]["kubernetes.io/hostname"]]
    terms = [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": values}]}]
    return {"local": {"path": str(path)}, "nodeAffinity": {"required": {"nodeSelectorTerms": terms}}}


def claim(claim_name: str, name: str) -> Object:
    return {"name": name, "persistentVolumeClaim": {"claimName": claim_name}}


def test_volumes_hold_what_was_there_and_keep_what_is_written(claimed: Claimed) -> None:
    assert claimed.log[:4] == ["host", "local", "read", "own"]
    for each in ("host", "local", "own"):
        assert (claimed.places / each / "new").read_text() == "new\n"


def test_a_claim_that_is_read_only(claimed: Claimed) -> None:
    assert claimed.log[4].endswith("Read-only file system")
    assert not (claimed.places / "read" / "new").exists()


def test_the_pods_group_gets_local_volumes_and_no_others(claimed: Claimed) -> None:
    assert claimed.log[5:8] == ["4321 2770", "4321 660", "0 600"]


def test_a_block_device_is_a_device_in_the_container(claimed: Claimed, device: str) -> None:
    assert claimed.log[8] == "data"
    with Path(device).open("rb") as disk:
        assert disk.read(5) == b"data\n"


def test_a_claim_made_for_a_pod_goes_with_it(claimed: Claimed, rest: Rest) -> None:
    space = claimed.space
    own = space.path("persistentvolumeclaims", "claims-own")
    assert rest.get(own)["metadata"]["ownerReferences"][0]["name"] == "claims"
    claimed.remove()
    rest.gone(own)
    assert (claimed.places / "own" / "new").exists()


def test_volumes_outlive_the_pod_and_nothing_stays_mounted(claimed: Claimed, cluster: Cluster) -> None:
    uid = claimed.before["metadata"]["uid"]
    claimed.remove()
    assert cluster.home is not None
    directory = cluster.home / "node" / "pods" / uid
    eventually(lambda: not directory.exists(), what="the pod's directory is gone")
    assert uid not in Path("/proc/self/mountinfo").read_text()
    assert sorted(each.name for each in (claimed.places / "local").iterdir()) == ["new", "old"]


def test_a_file_system_on_a_device(claimed: Claimed, device: str, space: Space, cluster: Cluster) -> None:
    """A blank device becomes a file system; two pods share it; it is unmounted with the last."""
    claimed.remove()
    subprocess.run(
        ["dd", "if=/dev/zero", f"of={device}", "bs=1M", "count=8"], capture_output=True, check=True
    )
    name = provide(space, "disk", **local(space, Path(device)))
    more = {"container": {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}, "volumes": [claim(name, "v")]}
    space.run_until_it_says("done", "writer", f"echo disk > /v/file; echo done; {pods.IDLE}", **more)
    assert space.run_through("reader", "cat /v/file; grep ' /v ' /proc/mounts", **more).startswith(
        "disk\n/dev/"
    )
    space.remove_pod("reader")
    assert f"local-volume/mounts/{name}" in Path("/proc/self/mountinfo").read_text()
    space.remove_pod("writer")
    eventually(lambda: name not in Path("/proc/self/mountinfo").read_text(), what="the device is unmounted")
    space.rest.delete(f"{VOLUMES}/{name}")


def test_a_pod_waits_for_its_claim(space: Space, tmp_path: Path, cluster: Cluster) -> None:
    """Bound to the node by name, it has no scheduler to wait for it."""
    if not cluster.home:
        pytest.skip("the node's files are not ours to write")
    node = space.rest.get("/api/v1/nodes")["items"][0]["metadata"]["name"]
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    volumes = [claim(f"{space.name}-late", "v")]
    space.run("waits", "ls /v", container=mounts, volumes=volumes, nodeName=node)
    message = space.event("waits", "FailedMount")["message"]
    missing = f'persistentvolumeclaims "{space.name}-late" not found'
    assert message == (
        "Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], failed to process "
        f"volumes=[v]: error processing PVC {space.name}/{space.name}-late: failed to fetch PVC from API "
        f"server: {missing}"
    )
    (tmp_path / "file").touch()
    name = provide(space, "late", hostPath={"path": str(tmp_path)})
    space.phase("waits", "Succeeded", timeout=60)
    assert space.log("waits") == "file\n"
    space.rest.delete(f"{VOLUMES}/{name}")


def test_a_volume_that_one_pod_at_a_time_may_have(space: Space, tmp_path: Path, cluster: Cluster) -> None:
    """ReadWriteOncePod: also of pods that no scheduler has kept apart."""
    if not cluster.home:
        pytest.skip("the node's files are not ours")
    modes = ["ReadWriteOncePod"]
    name = provide(space, "sole", claim=False, accessModes=modes, hostPath={"path": str(tmp_path)})
    body = {"metadata": {"name": name}, "spec": {**wish(name), "accessModes": modes}}
    space.create(body, "persistentvolumeclaims")
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    pod = space.run_ready("one", container=mounts, volumes=[claim(name, "v")])
    node = pod["spec"]["nodeName"]
    space.run("two", container=mounts, volumes=[claim(name, "v")], nodeName=node)
    assert space.event("two", "FailedMount")["message"] == (
        f'MountVolume.SetUp failed for volume "{name}" : volume uses the ReadWriteOncePod access mode and is '
        "already in use by another pod"
    )
    space.remove_pod("one")
    space.ready("two")
    space.remove_pod("two")
    space.rest.delete(f"{VOLUMES}/{name}")


def test_a_kind_of_volume_that_the_node_cannot_mount(space: Space) -> None:
    source = {"nfs": {"server": "192.0.2.1", "path": "/"}}
    mounts = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    space.run("nfs", container=mounts, volumes=[{"name": "v", **source}])
    message = space.event("nfs", "FailedMount")["message"]
    assert "no volume plugin matched: this node does not mount volumes of kind nfs" in message
