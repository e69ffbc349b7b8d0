"""Files of configMap, secret, downwardAPI and projected volumes: contents, modes, owners.

All volumes are in two pods: one as root, one as another user with a group for its volumes, who may
read whatever the owner may.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from conformance import pods
from conformance.rest import Object
from conformance.space import Space

pytestmark = pytest.mark.usefixtures("containers")
USER, GROUP = 1000, 1001
DATA = {"data-1": "value-1", "data-2": "value-2", "data-3": "value-3"}
MAPPED = [{"key": "data-2", "path": "path/to/data-2"}]
MAPPED_MODE = [{"key": "data-2", "path": "path/to/data-2", "mode": 0o400}]
ALL = {key: (value, 0o644) for key, value in DATA.items()}
PRIVATE = {key: (value, 0o400) for key, value in DATA.items()}
ONE, ONE_PRIVATE = {"path/to/data-2": ("value-2", 0o644)}, {"path/to/data-2": ("value-2", 0o400)}
BUNDLES = "/apis/certificates.k8s.io/v1/clustertrustbundles"
BUNDLE = "storage-files.kubeling.test"

Files = dict[str, tuple[str, int]]


def named(kind: str, **more: object) -> Object:
    return {kind: {("secretName" if kind == "secret" else "name"): "held", **more}}


def projected(*sources: Object, **more: object) -> Object:
    return {"projected": {"sources": list(sources), **more}}


def fields(**paths: str) -> list[Object]:
    return [{"path": path, "fieldRef": {"fieldPath": field}} for path, field in paths.items()]


def amount(path: str, resource: str, divisor: str = "0", container: str = "main") -> Object:
    reference = {"containerName": container, "resource": resource, "divisor": divisor}
    return {"path": path, "resourceFieldRef": reference}


FIELDS = fields(
    name="metadata.name",
    labels="metadata.labels",
    annotations="metadata.annotations",
    one="metadata.labels['one']",
)
SHOWN: Files = {
    "name": ("NAME", 0o644),
    "labels": ('one="1"|two="2"', 0o644),
    "annotations": ('note="a \\"b\\""', 0o644),
    "one": ("1", 0o644),
}
AMOUNTS = [
    amount("cpu", "limits.cpu"),
    amount("milli", "limits.cpu", "1m"),
    amount("memory", "limits.memory"),
    amount("mi", "requests.memory", "1Mi"),
    amount("asked", "requests.cpu", "1m"),
]
COUNTED: Files = {
    "cpu": ("2", 0o644),
    "milli": ("1250", 0o644),
    "memory": ("67108864", 0o644),
    "mi": ("32", 0o644),
    "asked": ("250", 0o644),
}
WITH_MODE = [{**FIELDS[0], "mode": 0o400}]
JOINED = projected(
    {"secret": {"name": "held", "items": [{"key": "data-1", "path": "secret/one"}]}},
    {"configMap": {"name": "held", "items": [{"key": "data-2", "path": "config/two"}]}},
    {"downwardAPI": {"items": FIELDS[:1]}},
)
CASES: dict[str, tuple[Object, Files]] = {
    **{
        f"{kind.lower()}-{which}": (named(kind, **more), files)
        for kind in ("configMap", "secret")
        for which, more, files in (
            ("plain", {}, ALL),
            ("again", {}, ALL),
            ("mode", {"defaultMode": 0o400}, PRIVATE),
            ("items", {"items": MAPPED}, ONE),
            ("item-mode", {"items": MAPPED_MODE}, ONE_PRIVATE),
        )
    },
    **{
        f"projected-{kind.lower()}-{which}": (projected({kind: {"name": "held", **inner}}, **outer), files)
        for kind in ("configMap", "secret")
        for which, inner, outer, files in (
            ("plain", {}, {}, ALL),
            ("mode", {}, {"defaultMode": 0o400}, PRIVATE),
            ("items", {"items": MAPPED}, {}, ONE),
            ("item-mode", {"items": MAPPED_MODE}, {}, ONE_PRIVATE),
        )
    },
    "binary": ({"configMap": {"name": "binary"}}, {"bytes": ("00fe7f", 0o644), "text": ("t", 0o644)}),
    "immutable": ({"configMap": {"name": "fixed"}}, {"one": ("1", 0o644)}),
    "optional": ({"configMap": {"name": "absent", "optional": True}}, {}),
    "optional-key": (
        named("secret", items=[{"key": "absent", "path": "x"}], optional=True),
        {},
    ),
    "downward": ({"downwardAPI": {"items": FIELDS}}, SHOWN),
    "downward-mode": (
        {"downwardAPI": {"items": FIELDS[:1], "defaultMode": 0o400}},
        {"name": ("NAME", 0o400)},
    ),
    "downward-item-mode": ({"downwardAPI": {"items": WITH_MODE}}, {"name": ("NAME", 0o400)}),
    "downward-amounts": ({"downwardAPI": {"items": AMOUNTS}}, COUNTED),
    "projected-downward": (projected({"downwardAPI": {"items": FIELDS}}), SHOWN),
    "projected-downward-mode": (
        projected({"downwardAPI": {"items": FIELDS[:1]}}, defaultMode=0o400),
        {"name": ("NAME", 0o400)},
    ),
    "projected-downward-item-mode": (
        projected({"downwardAPI": {"items": WITH_MODE}}),
        {"name": ("NAME", 0o400)},
    ),
    "projected-downward-amounts": (projected({"downwardAPI": {"items": AMOUNTS}}), COUNTED),
    "joined": (
        JOINED,
        {
            "secret/one": ("value-1", 0o644),
            "config/two": ("value-2", 0o644),
            "name": ("NAME", 0o644),
        },
    ),
}
OTHERS: dict[str, Object] = {
    "free": {
        "downwardAPI": {
            "items": [amount(path, f"limits.{path}", container="free") for path in ("cpu", "memory")]
        }
    },
    "token": projected({"serviceAccountToken": {"path": "token", "expirationSeconds": 600}}),
    "anchors": projected({"clusterTrustBundle": {"name": BUNDLE, "path": "ca.pem"}}),
    "absent-anchors": projected(
        {"clusterTrustBundle": {"name": f"no.{BUNDLE}", "path": "ca.pem", "optional": True}}
    ),
    "no-anchors": projected(
        {
            "clusterTrustBundle": {
                "signerName": "kubeling.test/none",
                "labelSelector": {},
                "path": "ca.pem",
                "optional": True,
            }
        }
    ),
}
SCRIPT = """
cd /v
for volume in *; do
  echo "== $volume $(stat -c '%a %g' $volume)"
  cd $volume
  for file in $(find -L . -type f | grep -v '/\\.\\.' | cut -c3-); do
    text=$(tr '\\n' '|' < $file); [ $file = bytes ] && text=$(od -An -tx1 $file | tr -d ' ')
    echo "$file $(stat -Lc '%a %u %g' $file) $text"
  done
  cd ..
done
"""


@dataclass(frozen=True)
class File:
    mode: int
    owner: int
    group: int
    content: str


@dataclass(frozen=True)
class Seen:
    """What a container saw of its volumes."""

    roots: dict[str, str]
    files: dict[str, dict[str, File]]


@pytest.fixture(scope="module")
def seen(shared_space: Space, containers: None) -> Iterator[dict[str, Seen]]:
    """By the pods' names, `root` and `user`."""
    space = shared_space
    space.config_map("held", **DATA)
    space.secret("held", **DATA)
    space.create({**pods.config_map("binary", {"text": "t"}), "binaryData": {"bytes": "AP5/"}}, "configmaps")
    space.create({**pods.config_map("fixed", {"one": "1"}), "immutable": True}, "configmaps")
    space.rest.post(BUNDLES, trust_bundle(space))
    for name, context in (("root", {}), ("user", {"runAsUser": USER, "fsGroup": GROUP})):
        space.create(looking(space, name, context))
    for name in ("root", "user"):
        space.phase(name, "Succeeded", timeout=60)
    yield {name: parsed(space.log(name, container="main")) for name in ("root", "user")}
    space.rest.delete(f"{BUNDLES}/{BUNDLE}")


def trust_bundle(space: Space) -> Object:
    """The cluster's own authority."""
    authority = space.rest.get(space.path("configmaps", "kube-root-ca.crt"))["data"]["ca.crt"]
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "ClusterTrustBundle",
        "metadata": {"name": BUNDLE},
        "spec": {"trustBundle": authority},
    }


def looking(space: Space, name: str, context: Object) -> Object:
    sources = {case: source for case, (source, _) in CASES.items()} | OTHERS
    main = pods.container(
        space.image,
        SCRIPT,
        volumeMounts=[{"name": each, "mountPath": f"/v/{each}"} for each in sources],
        resources={
            "limits": {"cpu": "1250m", "memory": "64Mi"},
            "requests": {"cpu": "250m", "memory": "32Mi"},
        },
    )
    free = pods.container(space.image, "true", name="free")
    volumes = [{"name": each, **source} for each, source in sources.items()]
    pod = pods.pod(name, main, free, volumes=volumes, securityContext=context)
    pod["metadata"] |= {"labels": {"one": "1", "two": "2"}, "annotations": {"note": 'a "b"'}}
    return pod


def parsed(log: str) -> Seen:
    roots: dict[str, str] = {}
    files: dict[str, dict[str, File]] = {}
    volume = ""
    for line in log.splitlines():
        if line.startswith("== "):
            _, volume, roots[volume] = line.split(" ", 2)
            files[volume] = {}
        else:
            path, mode, owner, group, content = line.split(" ", 4)
            files[volume][path] = File(int(mode, 8), int(owner), int(group), content)
    return Seen(roots, files)


@pytest.mark.parametrize("case", CASES)
def test_files_as_root(seen: dict[str, Seen], case: str) -> None:
    wanted = {path: File(mode, 0, 0, text) for path, (text, mode) in CASES[case][1].items()}
    assert seen["root"].files[case] == with_name(wanted, "root")


@pytest.mark.parametrize("case", CASES)
def test_files_with_a_group(seen: dict[str, Seen], case: str) -> None:
    wanted = {path: File(mode | 0o440, 0, GROUP, text) for path, (text, mode) in CASES[case][1].items()}
    assert seen["user"].files[case] == with_name(wanted, "user")


def with_name(files: dict[str, File], name: str) -> dict[str, File]:
    return {path: replace(file, content=file.content.replace("NAME", name)) for path, file in files.items()}


def test_directories_of_volumes(seen: dict[str, Seen]) -> None:
    """The group's is passed on to what is made in it."""
    assert seen["root"].roots["configmap-plain"] == "777 0"
    assert seen["root"].roots["secret-plain"] == "1777 0"
    assert seen["user"].roots["configmap-plain"] == f"2777 {GROUP}"
    assert seen["user"].roots["secret-plain"] == f"3777 {GROUP}"


def test_a_limit_that_is_not_set_is_what_the_node_can_give(seen: dict[str, Seen]) -> None:
    found = seen["root"].files["free"]
    assert int(found["cpu"].content) >= 1
    assert int(found["memory"].content) > 64 * 2**20


@pytest.mark.parametrize("case", ["token", "anchors"])
def test_what_is_private_belongs_to_the_pods_user(seen: dict[str, Seen], case: str) -> None:
    [file] = seen["root"].files[case].values()
    assert (file.mode, file.owner, file.group) == (0o644, 0, 0)
    [file] = seen["user"].files[case].values()
    assert (file.mode, file.owner, file.group) == (0o640, USER, GROUP)


def test_a_token_is_one(seen: dict[str, Seen]) -> None:
    assert seen["root"].files["token"]["token"].content.count(".") == 2


def test_trust_anchors_of_a_bundle(seen: dict[str, Seen]) -> None:
    assert seen["root"].files["anchors"]["ca.pem"].content.count("BEGIN CERTIFICATE") == 1


@pytest.mark.parametrize("case", ["absent-anchors", "no-anchors"])
def test_trust_anchors_that_may_be_missing(seen: dict[str, Seen], case: str) -> None:
    assert seen["root"].files[case]["ca.pem"].content == ""
