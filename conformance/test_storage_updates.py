"""Live updates: what configMap, secret, downwardAPI and projected volumes show follows their objects.

One pod prints the files of all its volumes whenever they change.
"""

from collections.abc import Callable

import pytest

from conformance import pods
from conformance.rest import MERGE, Object
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")

SCRIPT = """
cd /v; last=
while :; do
  now=$(for each in */*; do [ -f $each ] && echo "$each=$(tr '\\n' '|' < $each)"; done)
  [ "$now" = "$last" ] || { echo "=="; echo "$now"; last="$now"; }
  sleep 0.1
done
"""
LABELS = {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}
NOTES = {"items": [{"path": "notes", "fieldRef": {"fieldPath": "metadata.annotations"}}]}
VOLUMES: dict[str, Object] = {
    "config": {"configMap": {"name": "changes"}},
    "config-late": {"configMap": {"name": "late", "optional": True}},
    "config-goes": {"configMap": {"name": "goes", "optional": True}},
    "secret": {"secret": {"secretName": "changes"}},
    "secret-late": {"secret": {"secretName": "late", "optional": True}},
    "projected-config": {"projected": {"sources": [{"configMap": {"name": "changes"}}]}},
    "projected-secret": {"projected": {"sources": [{"secret": {"name": "changes"}}]}},
    "projected-late": {
        "projected": {
            "sources": [
                {"configMap": {"name": "late", "optional": True}},
                {"secret": {"name": "goes", "optional": True}},
            ]
        }
    },
    "labels": {"downwardAPI": LABELS},
    "projected-notes": {"projected": {"sources": [{"downwardAPI": NOTES}]}},
    "anchors": {
        "projected": {
            "sources": [
                {
                    "clusterTrustBundle": {
                        "signerName": "kubeling.test/updates",
                        "labelSelector": {},
                        "path": "ca.pem",
                        "optional": True,
                    }
                }
            ]
        }
    },
}

Files = dict[str, str]


@pytest.fixture(scope="module")
def watching(shared_space: Space, containers: None) -> Space:
    space = shared_space
    for name in ("changes", "goes"):
        space.config_map(name, one="1")
        space.secret(name, one="1")
    mounts = [{"name": name, "mountPath": f"/v/{name}"} for name in VOLUMES]
    main = pods.container(space.image, "trap exit TERM; " + SCRIPT, volumeMounts=mounts)
    pod = pods.pod("watching", main, volumes=[{"name": name, **each} for name, each in VOLUMES.items()])
    pod["metadata"] |= {"labels": {"one": "1"}, "annotations": {"note": "1"}}
    space.create(pod)
    space.ready("watching")
    shown(space, lambda files: files.get("config/one") == "1")
    return space


def shown(space: Space, holds: Callable[[Files], object]) -> Files:
    """The files, once they are as wanted."""

    def probe() -> Files:
        latest = space.log("watching").rpartition("==\n")[2]
        files = dict(line.split("=", 1) for line in latest.splitlines())
        assert holds(files), files
        return files

    return eventually(probe, what="the files follow", timeout=30, every=0.1)


def test_changed_values_and_new_keys(watching: Space) -> None:
    watching.rest.patch(watching.path("configmaps", "changes"), {"data": {"one": "2", "new": "3"}})
    watching.rest.patch(watching.path("secrets", "changes"), {"stringData": {"one": "2", "new": "3"}})
    for volume in ("config", "secret", "projected-config", "projected-secret"):
        wanted = {f"{volume}/one": "2", f"{volume}/new": "3"}
        shown(watching, lambda files, wanted=wanted: wanted.items() <= files.items())  # type: ignore[misc]


def test_keys_that_go(watching: Space) -> None:
    watching.rest.patch(watching.path("configmaps", "changes"), {"data": {"one": None, "last": "4"}})
    files = shown(watching, lambda files: files.get("config/last") == "4")
    assert "config/one" not in files
    shown(watching, lambda files: "projected-config/one" not in files)


def test_what_is_optional_comes_and_goes(watching: Space) -> None:
    files = shown(watching, lambda files: files.get("config-goes/one") == "1")
    assert not [name for name in files if name.startswith(("config-late/", "secret-late/"))]
    watching.config_map("late", two="2")
    watching.secret("late", two="2")
    watching.rest.delete(watching.path("configmaps", "goes"))
    watching.rest.delete(watching.path("secrets", "goes"))
    shown(watching, lambda files: files.get("config-late/two") == files.get("secret-late/two") == "2")
    shown(watching, lambda files: "config-goes/one" not in files and "projected-late/one" not in files)
    shown(watching, lambda files: files.get("projected-late/two") == "2")
    watching.config_map("goes", one="again")
    shown(watching, lambda files: files.get("config-goes/one") == "again")


def test_labels_and_annotations(watching: Space) -> None:
    change = {"metadata": {"labels": {"one": None, "two": "2"}, "annotations": {"note": "2"}}}
    watching.rest.patch(watching.path("pods", "watching"), change)
    shown(watching, lambda files: files.get("labels/labels") == 'two="2"')
    shown(watching, lambda files: files.get("projected-notes/notes") == 'note="2"')


def test_trust_anchors(watching: Space) -> None:
    """Of two bundles of a signer that hold the same one is shown; none when they are gone."""
    bundles = "/apis/certificates.k8s.io/v1/clustertrustbundles"
    authority = watching.rest.get(watching.path("configmaps", "kube-root-ca.crt"))["data"]["ca.crt"]
    names = [f"kubeling.test:updates:{each}" for each in ("one", "two")]
    for name in names:
        body = {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "ClusterTrustBundle",
            "metadata": {"name": name},
            "spec": {"signerName": "kubeling.test/updates", "trustBundle": authority},
        }
        watching.rest.post(bundles, body)
    shown(watching, lambda files: files["anchors/ca.pem"].count("BEGIN") == 1)
    for name in names:
        watching.rest.delete(f"{bundles}/{name}")
    shown(watching, lambda files: files["anchors/ca.pem"] == "")


def test_what_is_immutable_stays(space: Space) -> None:
    for resource, made in (
        ("configmaps", pods.config_map("fixed", {"one": "1"})),
        ("secrets", pods.secret("fixed", {"one": "1"})),
    ):
        space.create({**made, "immutable": True}, resource)
        path, change = space.path(resource, "fixed"), {"data": {"one": "Mg=="}}
        answer = space.rest.request("PATCH", path, change, content_type=MERGE)
        assert answer.code == 422, str(answer)
