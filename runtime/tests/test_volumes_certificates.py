"""Certificates of pods: asked for by the node, shown when they are issued, renewed in time."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from kubeling.client.resources import POD_CERTIFICATE_REQUESTS
from kubeling.objects.meta import Object, timestamp
from runtime.tests.pod_node import PodNode, a_pod, pod_node
from runtime.volumes import mount

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[PodNode]:
    async with pod_node(tmp_path) as made:
        made.client.put({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1", "uid": "n"}})
        metadata = {"name": "default", "namespace": "default", "uid": "a"}
        made.client.put({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        yield made
    mount.unmount_below(tmp_path)


def asking(**more: Any) -> Object:
    source = {
        "signerName": "example.com/s",
        "keyType": "ECDSAP256",
        "credentialBundlePath": "bundle.pem",
        "keyPath": "key.pem",
        "certificateChainPath": "chain.pem",
        **more,
    }
    volume = {"name": "certs", "projected": {"sources": [{"podCertificate": source}]}}
    return a_pod(volumes=[volume], serviceAccountName="default")


async def requests(node: PodNode) -> list[Object]:
    found = (await node.client.list(POD_CERTIFICATE_REQUESTS)).items
    return sorted(found, key=lambda each: str(each["metadata"]["creationTimestamp"]))


async def asked(node: PodNode, count: int = 1) -> Object:
    """The newest request, when there are so many."""
    async with asyncio.timeout(20):
        while True:
            found = await requests(node)
            if len(found) >= count:
                return next(each for each in found if not each.get("status"))
            await asyncio.sleep(0)


def answer(node: PodNode, request: Object, kind: str, **status: Any) -> None:
    condition = {"type": kind, "status": "True", "reason": "Why", "message": "because"}
    node.client.put({**request, "status": {"conditions": [condition], **status}})


def issue(node: PodNode, request: Object, chain: str) -> None:
    now: datetime = node.clock.now()
    refresh, end = timestamp(now + timedelta(hours=1)), timestamp(now + timedelta(hours=2))
    answer(node, request, "Issued", certificateChain=chain, beginRefreshAt=refresh, notAfter=end)


def files(node: PodNode) -> dict[str, str]:
    uid = (node.pod() or {})["metadata"]["uid"]
    directory = node.root / "pods" / uid / "volumes" / "kubernetes.io~projected" / "certs"
    names = [each for each in directory.glob("*") if not each.name.startswith("..")]
    try:
        return {each.name: each.read_text() for each in names}
    except FileNotFoundError:
        return {"": "just being changed"}


async def test_a_pod_waits_for_its_certificate(node: PodNode) -> None:
    notes = {"example.com/note": "x"}
    node.create(asking(maxExpirationSeconds=7200, userAnnotations=notes))
    request = await asked(node)
    spec, pod = request["spec"], node.pod() or {}
    assert spec["podUID"] == pod["metadata"]["uid"]
    assert (spec["nodeName"], spec["nodeUID"], spec["serviceAccountUID"]) == ("node-1", "n", "a")
    assert (spec["maxExpirationSeconds"], spec["unverifiedUserAnnotations"]) == (7200, notes)
    stub = x509.load_der_x509_csr(base64.b64decode(spec["stubPKCS10Request"]))
    assert stub.is_signature_valid
    assert node.status().get("phase") != "Running"
    issue(node, request, "chain one")
    await node.running()
    shown = files(node)
    assert shown["chain.pem"] == "chain one"
    assert shown["bundle.pem"] == shown["key.pem"] + "chain one"
    key = serialization.load_pem_private_key(shown["key.pem"].encode(), None)
    assert key.public_key() == stub.public_key()
    assert len(await requests(node)) == 1


async def test_a_certificate_is_renewed(node: PodNode) -> None:
    node.create(asking())
    issue(node, await asked(node), "chain one")
    await node.running()
    first = files(node)
    await node.clock.advance(3600 + 301)
    second = await asked(node, 2)
    assert files(node) == first
    issue(node, second, "chain two")
    await node.until(lambda: files(node).get("chain.pem") == "chain two")
    assert files(node)["key.pem"] != first["key.pem"]


@pytest.mark.parametrize(("kind", "word"), [("Denied", "denied"), ("Failed", "failed")])
async def test_a_signer_can_refuse(node: PodNode, kind: str, word: str) -> None:
    node.create(asking())
    answer(node, await asked(node), kind)
    why = f'PodCertificateRequest was permanently {word}: reason="Why" message="because"'
    message = f'MountVolume.SetUp failed for volume "certs" : {why}'
    for _ in range(100):
        if ("FailedMount", message) in await node.events():
            break
    assert ("FailedMount", message) in await node.events()


@pytest.mark.parametrize("kind", ["RSA3072", "ECDSAP384", "ECDSAP521", "ED25519"])
async def test_kinds_of_keys(node: PodNode, kind: str) -> None:
    node.create(asking(keyType=kind))
    request = await asked(node)
    assert x509.load_der_x509_csr(base64.b64decode(request["spec"]["stubPKCS10Request"])).is_signature_valid


async def test_a_request_that_was_deleted_is_made_again(node: PodNode) -> None:
    node.create(asking())
    request = await asked(node)
    await node.client.delete(POD_CERTIFICATE_REQUESTS, request["metadata"]["name"], namespace="default")
    assert (await asked(node))["metadata"]["name"] != request["metadata"]["name"]
