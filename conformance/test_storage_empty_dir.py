"""emptyDir: on disk and in memory, for root and others, with and without a group, shared and limited.

One pod for root and another user, one with a group for its volumes. What they see is in their logs.
"""

import pytest

from conformance import pods
from conformance.rest import Object
from conformance.space import Space

pytestmark = pytest.mark.usefixtures("containers")
USER, GROUP = 1001, 123
MEDIA = {"disk": "", "memory": "Memory"}
MODES = ("644", "666", "777")
LIMIT = 4 * 2**20

SCRIPT = """
umask 0
for medium in disk memory; do
  echo "$medium volume $(stat -c '%a %u:%g' /$medium) $(stat -f -c %T /$medium)"
  for mode in 644 666 777; do
    file=/$medium/$(id -u)-$mode
    echo "content of $mode" > $file; chmod $mode $file
    echo "$medium $mode $(stat -c '%a %u:%g' $file) $(cat $file)"
  done
done
echo "limited $(stat -f -c '%b %S' /limited)"
"""


def writer(space: Space, name: str, **context: object) -> Object:
    mounted = [*MEDIA, "limited"]
    return pods.container(
        space.image,
        SCRIPT,
        name=name,
        securityContext=context,
        volumeMounts=[{"name": each, "mountPath": f"/{each}"} for each in mounted],
        resources={"limits": {"memory": f"{4 * LIMIT}", "cpu": "1"}},
    )


@pytest.fixture(scope="module")
def logs(shared_space: Space, containers: None) -> dict[str, dict[str, str]]:
    """What each container said of each medium and mode, by the container's name."""
    space = shared_space
    volumes = [{"name": name, "emptyDir": {"medium": medium}} for name, medium in MEDIA.items()]
    volumes.append({"name": "limited", "emptyDir": {"medium": "Memory", "sizeLimit": f"{LIMIT}"}})
    root, user = writer(space, "root"), writer(space, "user", runAsUser=USER)
    space.create(pods.pod("plain", root, user, volumes=volumes))
    grouped = writer(space, "grouped", runAsUser=USER)
    space.create(pods.pod("grouped", grouped, volumes=volumes, securityContext={"fsGroup": GROUP}))
    for name in ("plain", "grouped"):
        space.phase(name, "Succeeded", timeout=60)
    said = {
        "root": space.log("plain", container="root"),
        "user": space.log("plain", container="user"),
        "grouped": space.log("grouped", container="grouped"),
    }
    return {name: by_words(log) for name, log in said.items()}


def by_words(log: str) -> dict[str, str]:
    """The rest of each line by its first two words, of a line `limited` by one."""
    found = {}
    for line in log.splitlines():
        first, second, rest = [*line.split(" ", 2), ""][:3]
        found["limited" if first == "limited" else f"{first} {second}"] = (
            f"{second} {rest}" if first == "limited" else rest
        )
    return found


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("medium", MEDIA)
@pytest.mark.parametrize("who", ["root", "user", "grouped"])
def test_files_are_as_they_were_made(
    logs: dict[str, dict[str, str]], who: str, medium: str, mode: str
) -> None:
    owner = {"root": "0:0", "user": f"{USER}:0", "grouped": f"{USER}:{GROUP}"}[who]
    assert logs[who][f"{medium} {mode}"] == f"{mode} {owner} content of {mode}"


@pytest.mark.parametrize("medium", MEDIA)
def test_the_directory_is_open_to_all(logs: dict[str, dict[str, str]], medium: str) -> None:
    said = logs["root"][f"{medium} volume"].split()
    assert said[:2] == ["1777" if medium == "memory" else "777", "0:0"]
    assert (said[2] == "tmpfs") is (medium == "memory")


@pytest.mark.parametrize("medium", MEDIA)
def test_the_directory_is_the_groups(logs: dict[str, dict[str, str]], medium: str) -> None:
    said = logs["grouped"][f"{medium} volume"].split()
    assert said[:2] == ["3777" if medium == "memory" else "2777", f"0:{GROUP}"]


def test_memory_is_limited_by_the_volume_and_the_pod(logs: dict[str, dict[str, str]]) -> None:
    blocks, size = map(int, logs["root"]["limited"].split())
    assert blocks * size == LIMIT


def test_containers_share_it_and_restarts_keep_it(space: Space) -> None:
    """One writes what the other waits for; when it has failed it finds its mark."""
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/data"}]}
    first = "chmod 700 /data; mkdir -p /data/sub; [ -e /data/mark ] || { touch /data/mark; exit 1; }"
    first += "; stat -c %a /data; echo hello > /data/sub/file"
    writer = pods.container(space.image, first, name="writer", **mount)
    script = "until cat /data/sub/file 2>/dev/null; do sleep 0.1; done"
    reader = pods.container(space.image, script, name="reader", **mount)
    volumes = [{"name": "v", "emptyDir": {}}]
    space.create(pods.pod("pair", writer, reader, volumes=volumes, restartPolicy="OnFailure"))
    space.phase("pair", "Succeeded")
    assert space.log("pair", container="reader") == "hello\n"
    assert space.log("pair", container="writer") == "700\n"
    assert pods.status_of(space.pod("pair"), "writer")["restartCount"] == 1


def test_volumes_inside_volumes(space: Space) -> None:
    """Of all kinds: a mount point is made in what containers only read."""
    space.config_map("held", one="1")
    space.secret("held", two="2")
    sources: dict[str, Object] = {
        "outer": {"secret": {"secretName": "held"}},
        "inner": {"configMap": {"name": "held"}},
        "empty": {"emptyDir": {}},
        "again": {"emptyDir": {"medium": "Memory"}},
    }
    paths = {"outer": "/v", "inner": "/v/config", "empty": "/v/config/empty", "again": "/v/memory/deep"}
    mounts = [{"name": name, "mountPath": path} for name, path in paths.items()]
    script = "cat /v/two /v/config/one; touch /v/config/empty/x /v/memory/deep/y; cd /v; find . -type f"
    script += " | grep -v '\\.\\.' | sort"
    volumes = [{"name": name, **source} for name, source in sources.items()]
    log = space.run_through("nested", script, container={"volumeMounts": mounts}, volumes=volumes)
    assert log == "21./config/empty/x\n./memory/deep/y\n"


def test_many_config_maps_in_one_pod(space: Space) -> None:
    names = [f"many-{number}" for number in range(50)]
    for name in names:
        space.config_map(name, key=name)
    mounts = [{"name": name, "mountPath": f"/v/{name}"} for name in names]
    volumes = [{"name": name, "configMap": {"name": name}} for name in names]
    script = "for each in /v/*; do cat $each/key; echo; done"
    log = space.run_through("many", script, container={"volumeMounts": mounts}, volumes=volumes)
    assert sorted(log.split()) == sorted(names)


def test_a_volume_goes_with_its_pod(space: Space) -> None:
    """Another pod of the same name finds nothing."""
    container = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    volumes = [{"name": "v", "emptyDir": {}}]
    assert space.run_through("same", "ls /v; touch /v/x", container=container, volumes=volumes) == ""
    space.remove_pod("same")
    assert space.run_through("same", "ls /v", container=container, volumes=volumes) == ""
