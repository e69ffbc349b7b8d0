"""subPath in the words of Kubernetes' own suite: what it makes and leads to, on volumes of several sorts.

The suite's pod: an init container that arranges the volume, one that writes to the part or to the whole, one
that reads. What leads out of a volume is in `test_security_volumes`.
"""

from pathlib import Path

import pytest

from conformance import pods
from conformance.cluster import Cluster
from conformance.rest import Object
from conformance.space import Space

pytestmark = pytest.mark.usefixtures("containers")
PLACE, FILE = "/test-volume", "/test-volume/test-file"
WRITTEN = "mount-tester new file"
SORTS = ("empty", "host", "link")
Case = tuple[str, str, str, bool]
CASES: dict[str, Case] = {
    "missing": ("true", "sub", f"{PLACE}/part/test-file", False),
    "directory": (f"mkdir {PLACE}/part", "sub", f"{PLACE}/part/test-file", False),
    "file-in-directory": (f"mkdir {PLACE}/part; echo {WRITTEN} > {PLACE}/part/test-file", "", FILE, True),
    "file": (f"echo {WRITTEN} > {PLACE}/part", "", PLACE, True),
    "read-only": (f"mkdir {PLACE}/part", "whole", FILE, True),
}
"""What arranges the volume; through what it is written; what is read, and whether through the part."""


@pytest.fixture(scope="module")
def sources(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Object]:
    if not cluster.home:
        pytest.skip("the node's files are not ours")
    place: Path = tmp_path_factory.mktemp("parts")
    made: dict[str, Object] = {}
    for case in CASES:
        for sort in SORTS:
            directory = place / f"{sort}-{case}"
            directory.mkdir()
            (place / f"{sort}-{case}-link").symlink_to(directory)
            path = f"{directory}-link" if sort == "link" else str(directory)
            made[f"{sort}-{case}"] = {"emptyDir": {}} if sort == "empty" else {"hostPath": {"path": path}}
    return made


def of_case(space: Space, case: str, volume: str) -> tuple[list[Object], Object]:
    """The containers before, and the one that reads."""
    arrange, writer, read, by_part = CASES[case]
    whole: Object = {"name": volume, "mountPath": PLACE}
    part = {**whole, "subPath": "part"}
    before = [pods.container(space.image, arrange, name=f"arrange-{volume}", volumeMounts=[whole])]
    if writer:
        target, mount = (FILE, part) if writer == "sub" else (f"{PLACE}/part/test-file", whole)
        options = (f"--new_file_0644={target}", f"--file_mode={target}")
        before.append(
            pods.tool(space.tools, "mounttest", *options, name=f"write-{volume}", volumeMounts=[mount])
        )
    mount = {**part, "readOnly": case == "read-only"} if by_part else whole
    options = (f"--file_content_in_loop={read}", "--retry_time=20")
    return before, pods.tool(space.tools, "mounttest", *options, name=volume, volumeMounts=[mount])


@pytest.fixture(scope="module")
def read(shared_space: Space, sources: dict[str, Object], containers: None) -> dict[str, str]:
    """What each reader saw, by the sort of volume and the case: one pod for each sort."""
    space = shared_space
    for sort in SORTS:
        parts = [of_case(space, case, f"{sort}-{case}") for case in CASES]
        before = [each for first, _ in parts for each in first]
        volumes = [{"name": f"{sort}-{case}", **sources[f"{sort}-{case}"]} for case in CASES]
        readers = [reader for _, reader in parts]
        space.create(pods.pod(f"parts-{sort}", *readers, initContainers=before, volumes=volumes))
    for sort in SORTS:
        space.phase(f"parts-{sort}", "Succeeded", timeout=90)
    names = [(sort, f"{sort}-{case}") for sort in SORTS for case in CASES]
    return {name: space.log(f"parts-{sort}", container=name) for sort, name in names}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("sort", SORTS)
def test_parts_of_volumes(read: dict[str, str], sort: str, case: str) -> None:
    assert f'content of file "{CASES[case][2]}": {WRITTEN}\n' in read[f"{sort}-{case}"]


def test_a_part_that_is_made_has_the_mode_and_group_of_its_volume(space: Space) -> None:
    """Of one in memory with a group: also the bits beside the permissions."""
    options = [f"--{each}={PLACE}" for each in ("fs_type", "file_perm", "file_owner", "file_mode")]
    mount = {"name": "v", "mountPath": PLACE, "subPath": "test-sub"}
    main = pods.tool(space.tools, "mounttest", *options, volumeMounts=[mount])
    volumes = [{"name": "v", "emptyDir": {"medium": "Memory"}}]
    context = {"runAsUser": 1001, "fsGroup": 123}
    space.create(pods.pod("made", main, volumes=volumes, securityContext=context))
    space.phase("made", "Succeeded")
    assert set(space.log("made").splitlines()) == {
        f'mount type of "{PLACE}": tmpfs',
        f'mode of file "{PLACE}": dgtrwxrwxrwx',
        f'perms of file "{PLACE}": -rwxrwxrwx',
        f'owner UID of "{PLACE}": 0',
        f'owner GID of "{PLACE}": 123',
    }


@pytest.mark.parametrize("path", ["/etc/resolv.conf", "/etc/hosts", "/etc/hostname"])
def test_a_part_in_the_place_of_a_file_that_the_node_makes(space: Space, path: str) -> None:
    space.config_map("held", key="configmap-value")
    mount = {"name": "v", "mountPath": path, "subPath": "key"}
    volumes = [{"name": "v", "configMap": {"name": "held"}}]
    log = space.run_through("over", f"cat {path}", container={"volumeMounts": [mount]}, volumes=volumes)
    assert log == "configmap-value"


def test_a_volume_that_no_container_has_is_not_missed(space: Space) -> None:
    sources: dict[str, Object] = {
        "config": {"configMap": {"name": "absent"}},
        "claim": {"persistentVolumeClaim": {"claimName": "absent"}},
        "host": {"hostPath": {"path": "/absent", "type": "Directory"}},
    }
    node = space.rest.get("/api/v1/nodes")["items"][0]["metadata"]["name"]
    volumes = [{"name": name, **source} for name, source in sources.items()]
    space.run_through("unused", "true", volumes=volumes, nodeName=node)
