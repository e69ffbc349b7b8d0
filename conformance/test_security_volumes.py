"""No way out of a volume: links, races, paths that lead up; and nothing of the host goes with a pod."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance import pods
from conformance.cluster import Cluster
from conformance.rest import Object
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")
SECRET = "a secret of the host"
PRIVILEGED: Object = {"securityContext": {"privileged": True}}


@pytest.fixture
def secret(cluster: Cluster, tmp_path: Path) -> Iterator[Path]:
    """A directory of the host with a file that no pod may see or change."""
    if not cluster.home:
        pytest.skip("the node's files are not ours")
    directory = tmp_path / "secret"
    directory.mkdir(mode=0o755)
    (directory / "marker").write_text(SECRET)
    (directory / "marker").chmod(0o600)
    for each in (tmp_path, tmp_path.parent):
        each.chmod(0o755)
    yield directory
    assert (directory / "marker").read_text() == SECRET
    assert (directory / "marker").stat().st_mode & 0o7777 == 0o600
    assert os.listdir(directory) == ["marker"]


def at(path: str, **more: object) -> Object:
    return {"name": "v", "mountPath": path, **more}


def test_links_out_of_a_volume(space: Space, secret: Path) -> None:
    """As subPath: to a directory, to a file, up and up, by way of /proc, and made behind a link."""
    up = "../" * 40 + str(secret).lstrip("/")
    links = {
        "absolute": str(secret),
        "file": f"{secret}/marker",
        "up": up,
        "proc": f"/proc/self/root{secret}",
        "circle": "circle",
    }
    script = "; ".join(f"ln -s {target} /v/{name}" for name, target in links.items())
    makes = pods.container(space.image, script, name="makes", volumeMounts=[at("/v")])
    paths = {**{name: name for name in links}, "made": "absolute/made", "twice": "up/made"}
    tries = [
        pods.container(space.image, "cat /s/* /s", name=name, volumeMounts=[at("/s", subPath=path)])
        for name, path in paths.items()
    ]
    volumes: list[Object] = [{"name": "v", "emptyDir": {}}]
    space.create(pods.pod("links", *tries, initContainers=[makes], volumes=volumes))
    for name in paths:
        pod = space.until(
            "links",
            lambda pod, name=name: pods.waiting_reason(pod, name) == "CreateContainerConfigError",  # type: ignore[misc]
            what=f"refuses {name}",
        )
        what = "create subPath directory" if "/" in paths[name] else "prepare subPath"
        said = pods.status_of(pod, name)["state"]["waiting"]["message"]
        assert said == f'failed to {what} for volumeMount "v" of container "{name}"'


def test_a_directory_that_becomes_a_link_while_containers_start(space: Space, secret: Path) -> None:
    """One container swaps the two without end; whatever others get of it, it is not the host's."""
    swaps = (
        f"mkdir -p /v/real; echo volume > /v/real/marker; ln -s {secret} /v/link; ln -s real /v/d; "
        "while :; do ln -s ../../../../../../../../../.. /v/n; mv -T /v/link /v/d; rm -f /v/n; "
        f"rm -f /v/d; mkdir /v/d; echo volume > /v/d/marker; ln -s {secret} /v/link; "
        "rm -rf /v/d; ln -s real /v/d; done"
    )
    swapper = pods.container(
        space.image, swaps, name="swapper", volumeMounts=[at("/v")], restartPolicy="Always"
    )
    tries = [
        pods.container(
            space.image,
            "cat /s/marker; touch /s/mark",
            name=f"try-{number}",
            volumeMounts=[at("/s", subPath="d")],
        )
        for number in range(10)
    ]
    volumes: list[Object] = [{"name": "v", "emptyDir": {}}]
    space.create(pods.pod("race", *tries, initContainers=[swapper], volumes=volumes))

    def tried() -> Object | None:
        states = [pods.status_of(space.pod("race"), each["name"]).get("state", {}) for each in tries]
        refused = "CreateContainerConfigError"
        done = [
            "terminated" in state or state.get("waiting", {}).get("reason") == refused for state in states
        ]
        return {"states": states} if all(done) else None

    states = eventually(tried, what="each has started, or been refused", timeout=60)["states"]
    for each, state in zip(tries, states, strict=True):
        if "terminated" in state:
            assert SECRET not in space.log("race", container=each["name"])
    space.remove_pod("race")


def test_what_pods_leave_in_volumes_takes_nothing_with_it(
    space: Space, secret: Path, cluster: Cluster
) -> None:
    """Links to the host, directories deeper than any path, and the host's directory mounted inside."""
    deep = "i=0; cd /v; while [ $i -lt 110 ]; do mkdir n" + "n" * 40 + "; cd n*; i=$((i+1)); done"
    mounts = "mkdir /v/inside; mount --bind /host /v/inside; ls /v/inside; ln -s /host /v/host"
    script = f"ln -s {secret} /v/link; ln -s / /v/root; {mounts}; ({deep}); echo done; {pods.IDLE}"
    volumes: list[Object] = [
        {"name": "v", "emptyDir": {}},
        {"name": "host", "hostPath": {"path": str(secret)}},
    ]
    bidirectional = [at("/v", mountPropagation="Bidirectional"), {"name": "host", "mountPath": "/host"}]
    pod = space.run(
        "leaves", script, container={"volumeMounts": bidirectional, **PRIVILEGED}, volumes=volumes
    )

    def has_done() -> bool:
        said = space.log("leaves")
        assert said.endswith("done\n"), said
        return True

    eventually(has_done, what="it has done its worst", timeout=60)
    assert space.log("leaves").startswith("marker\n")
    space.remove_pod("leaves")
    assert cluster.home is not None
    directory = cluster.home / "node" / "pods" / pod["metadata"]["uid"]
    eventually(lambda: not directory.exists(), what="the pod's directory is gone")
    assert (secret / "marker").read_text() == SECRET


@pytest.mark.parametrize("path", ["../up", "a/../../up", "/abs", "..data", "..2026/x"])
@pytest.mark.parametrize("kind", ["configMap", "secret", "downwardAPI", "projected"])
def test_names_that_lead_out_of_a_volume(space: Space, kind: str, path: str) -> None:
    items = [{"key": "k", "path": path}]
    fields = [{"path": path, "fieldRef": {"fieldPath": "metadata.name"}}]
    sources: dict[str, Object] = {
        "configMap": {"configMap": {"name": "x", "items": items}},
        "secret": {"secret": {"secretName": "x", "items": items}},
        "downwardAPI": {"downwardAPI": {"items": fields}},
        "projected": {"projected": {"sources": [{"secret": {"name": "x", "items": items}}]}},
    }
    volumes = [{"name": "v", **sources[kind]}]
    body = pods.pod("never", pods.container(space.image, "true"), volumes=volumes)
    answer = space.rest.request("POST", space.path("pods"), body)
    assert answer.code == 422, str(answer)


@pytest.mark.parametrize(
    ("source", "mount"),
    [
        ({"hostPath": {"path": "/var/../etc"}}, {}),
        ({"emptyDir": {}}, {"subPath": "../x"}),
        ({"emptyDir": {}}, {"subPath": "/etc"}),
        ({"emptyDir": {}}, {"subPathExpr": "a/../../x"}),
        ({"emptyDir": {}}, {"mountPropagation": "Bidirectional"}),
    ],
    ids=["host-path", "up", "absolute", "expression", "propagation"],
)
def test_what_the_api_refuses(space: Space, source: Object, mount: Object) -> None:
    """The last one needs a privileged container."""
    main = pods.container(space.image, "true", volumeMounts=[at("/v", **mount)])
    body = pods.pod("never", main, volumes=[{"name": "v", **source}])
    assert space.rest.request("POST", space.path("pods"), body).code == 422


def test_a_group_reaches_nothing_through_links(space: Space, secret: Path, tmp_path: Path) -> None:
    """The volume's files are given to the pod's group, what its links lead to is not."""
    disk = tmp_path / "disk"
    disk.mkdir()
    (disk / "file").symlink_to(secret / "marker")
    (disk / "directory").symlink_to(secret)
    volume_name = f"{space.name}-links"
    spec = {"capacity": {"storage": "1Mi"}, "accessModes": ["ReadWriteOnce"]}
    node = space.rest.get("/api/v1/nodes")["items"][0]["metadata"]["labels"]["kubernetes.io/hostname"]
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}}
    space.rest.post(
        "/api/v1/persistentvolumes",
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": volume_name},
            "spec": {**spec, "local": {"path": str(disk)}, "nodeAffinity": affinity},
        },
    )
    wanted = {"storageClassName": "", "volumeName": volume_name, "accessModes": ["ReadWriteOnce"]}
    claim = {"resources": {"requests": {"storage": "1Mi"}}, **wanted}
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": claim}
    space.create(body, "persistentvolumeclaims")
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]
    context = {"runAsUser": 1000, "fsGroup": 4321}
    log = space.run_through(
        "group",
        "stat -c %g /v; cat /v/file 2>&1 | cat",
        container={"volumeMounts": [at("/v")]},
        volumes=volumes,
        securityContext=context,
    )
    assert log.startswith("4321\n")
    assert SECRET not in log
    assert {each.stat().st_gid for each in (secret, secret / "marker")} == {0}
    space.remove_pod("group")
    space.rest.delete(f"/api/v1/persistentvolumes/{volume_name}")
