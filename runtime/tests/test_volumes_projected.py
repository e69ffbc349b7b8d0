"""Trust anchors, places for other volumes, and what of a pod its downward volumes show."""

import base64
from pathlib import PurePosixPath
from typing import Any

import pytest

from runtime.pods.environment.downward import PodFacts, shows_changed
from runtime.pods.references import TRUST_BUNDLES, Reference
from runtime.volumes import nested_mounts
from runtime.volumes.payload import Contents, volume_payload
from runtime.volumes.trust_anchors import AnchorsMissing, trust_anchors


def pem(content: bytes) -> str:
    text = base64.b64encode(content).decode()
    return f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"


def bundle(name: str, *anchors: bytes, signer: str = "", **labels: str) -> dict[str, Any]:
    spec = {"signerName": signer, "trustBundle": "".join(map(pem, anchors))}
    return {"metadata": {"name": name, "labels": labels}, "spec": spec}


BUNDLES = [
    bundle("plain", b"one", b"two", b"one"),
    bundle("s:a", b"three", signer="example.com/s", use="web"),
    bundle("s:b", b"three", b"four", signer="example.com/s"),
    bundle("t:a", b"five", signer="example.com/t", use="web"),
]


def anchors(source: dict[str, Any]) -> set[bytes]:
    found = trust_anchors(source, BUNDLES).decode()
    blocks = found.split("-----BEGIN CERTIFICATE-----")[1:]
    assert len(blocks) == len(set(blocks))
    return {base64.b64decode(block.partition("-----END")[0]) for block in blocks}


def test_anchors_of_a_bundle_by_name_are_given_once() -> None:
    assert anchors({"name": "plain"}) == {b"one", b"two"}


def test_anchors_of_a_signer_are_chosen_by_labels() -> None:
    by_labels = {"signerName": "example.com/s", "labelSelector": {"matchLabels": {"use": "web"}}}
    assert anchors(by_labels) == {b"three"}
    assert anchors({"signerName": "example.com/s", "labelSelector": {}}) == {b"three", b"four"}


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (
            {"name": "absent"},
            'while getting ClusterTrustBundle: clustertrustbundle.certificates.k8s.io "absent" not found',
        ),
        (
            {"signerName": "example.com/s"},
            "combination of signerName and labelSelector matched zero ClusterTrustBundles",
        ),
    ],
    ids=["name", "signer"],
)
def test_missing_bundles_hold_the_pod_unless_they_are_optional(source: dict[str, Any], why: str) -> None:
    with pytest.raises(AnchorsMissing) as caught:
        trust_anchors(source, BUNDLES)
    assert str(caught.value) == why
    assert trust_anchors({**source, "optional": True}, BUNDLES) == b""


def test_anchors_are_private_to_the_pods_user() -> None:
    source = {"clusterTrustBundle": {"name": "plain", "path": "ca.pem"}}
    volume = {"name": "v", "projected": {"sources": [source]}}
    pod = {"spec": {"containers": [{"name": "c", "securityContext": {"runAsUser": 7}}]}}
    files = volume_payload(
        pod, volume, Contents({Reference(TRUST_BUNDLES, "", ""): {"items": BUNDLES}}, PodFacts())
    )
    assert files is not None
    assert (files["ca.pem"].mode, files["ca.pem"].owner) == (0o600, 7)


def mounting(*paths: tuple[str, str]) -> dict[str, Any]:
    mounts = [{"name": name, "mountPath": path} for name, path in paths]
    return {"spec": {"containers": [{"name": "c", "volumeMounts": mounts}]}}


def test_places_for_volumes_inside_a_volume() -> None:
    pod = mounting(
        ("v", "/etc/v"), ("a", "/etc/v/x"), ("b", "/etc/v/x/y"), ("c", "/etc/other"), ("d", "/etc")
    )
    assert nested_mounts.places(pod, "v") == [PurePosixPath("x")]
    assert nested_mounts.places(pod, "c") == []


def downward(**metadata: Any) -> dict[str, Any]:
    items = [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
    volumes = [{"name": "v", "downwardAPI": {"items": items}}]
    return {"metadata": metadata, "spec": {"volumes": volumes, "containers": [{"name": "c"}]}}


def test_changed_labels_show_in_downward_volumes_alone() -> None:
    one, other = downward(labels={"a": "1"}), downward(labels={"a": "2"})
    assert shows_changed(one, other)
    assert not shows_changed(one, downward(labels={"a": "1"}, resourceVersion="9"))
    for pod in (one, other):
        pod["spec"]["volumes"] = [{"name": "v", "emptyDir": {}}]
    assert not shows_changed(one, other)
