"""Images: pulling, policies, and what is said when there is none."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance import image_registry, pods, testimage
from conformance.absence import absent
from conformance.cluster import Cluster
from conformance.image_registry import Registry
from conformance.space import Space

pytestmark = pytest.mark.usefixtures("containers")


@pytest.fixture(scope="module")
def registry(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    if not cluster.home:
        pytest.skip("a node elsewhere cannot reach a registry on this machine's loopback")
    program = shutil.which("docker-registry") or absent("docker-registry is not installed")
    with image_registry.serving(program, tmp_path_factory.mktemp("registry")) as registry:
        yield registry


def test_an_image_is_pulled(space: Space, registry: Registry) -> None:
    image = registry.push(testimage.build(marker=space.name), name="pulled", tag="1")
    space.run("puller", "cat /etc/marker", container={"image": image})
    space.phase("puller", "Succeeded")
    assert space.log("puller") == space.name
    assert space.event("puller", "Pulling")["message"] == f'Pulling image "{image}"'
    message = space.event("puller", "Pulled")["message"]
    assert message.startswith(f'Successfully pulled image "{image}" in '), message
    assert "Image size: " in message, message


def test_always_pulls_what_the_tag_means_now(space: Space, registry: Registry) -> None:
    for marker in ("first", "second"):
        image = registry.push(testimage.build(marker=marker), name="moving", tag="1")
        always = {"image": image, "imagePullPolicy": "Always"}
        assert space.run_through(marker, "cat /etc/marker", container=always) == marker


def test_if_not_present_keeps_what_is_there(space: Space, registry: Registry) -> None:
    for marker in ("first", "second"):
        image = registry.push(testimage.build(marker=marker), name="kept", tag="1")
        there = {"image": image, "imagePullPolicy": "IfNotPresent"}
        assert space.run_through(marker, "cat /etc/marker", container=there) == "first"


def test_a_tag_latest_means_always(space: Space) -> None:
    """No tag means the same."""
    for name, image in (("tagged", "example.test/a:latest"), ("bare", "example.test/a")):
        body = pods.pod(name, pods.container(image), nodeSelector={"no.such/label": "x"})
        assert space.create(body)["spec"]["containers"][0]["imagePullPolicy"] == "Always"
    body = pods.pod("fixed", pods.container("example.test/a:1"), nodeSelector={"no.such/label": "x"})
    assert space.create(body)["spec"]["containers"][0]["imagePullPolicy"] == "IfNotPresent"


def test_an_image_by_its_digest(space: Space, registry: Registry) -> None:
    image = testimage.build(marker="by digest")
    registry.push(image, name="digested", tag="1")
    reference = f"{registry.host}/digested@{testimage.digest(image.manifest)}"
    assert space.run_through("exact", "cat /etc/marker", container={"image": reference}) == "by digest"


def test_never_does_not_pull(space: Space) -> None:
    space.run("never", container={"image": "localhost:1/no/such:1", "imagePullPolicy": "Never"})
    refused = lambda pod: pods.waiting_reason(pod) == "ErrImageNeverPull"  # noqa: E731
    pod = space.until("never", refused, what="waits")
    message = pods.status_of(pod)["state"]["waiting"]["message"]
    assert message == 'Container image "localhost:1/no/such:1" is not present with pull policy of Never'
    assert space.event("never", "ErrImageNeverPull")["message"] == message


def test_an_image_that_is_not_in_the_registry(space: Space, registry: Registry) -> None:
    image = f"{registry.host}/absent:1"
    space.run("misled", container={"image": image})
    seen: set[str] = set()

    def both(pod: dict[str, object]) -> bool:
        seen.add(pods.waiting_reason(pod))
        return "ImagePullBackOff" in seen

    pod = space.until("misled", both, what="backs off")
    message = pods.status_of(pod)["state"]["waiting"]["message"]
    assert message.startswith(f'Back-off pulling image "{image}"'), message
    assert pod["status"]["phase"] == "Pending"
    failures = [event["message"] for event in space.events("misled") if event["reason"] == "Failed"]
    assert any(text.startswith(f'Failed to pull image "{image}": ') for text in failures), failures
    assert "Error: ErrImagePull" in failures
    assert space.event("misled", "BackOff")["message"].startswith(f'Back-off pulling image "{image}"')


def test_a_name_that_is_none(space: Space) -> None:
    space.run("odd", container={"image": "example.test/UPPER:1"})
    odd = lambda pod: pods.waiting_reason(pod) == "InvalidImageName"  # noqa: E731
    pod = space.until("odd", odd, what="waits")
    message = pods.status_of(pod)["state"]["waiting"]["message"]
    assert message.startswith('Failed to apply default image tag "example.test/UPPER:1"'), message


def test_an_image_that_comes_later(space: Space, registry: Registry) -> None:
    image = f"{registry.host}/late:1"
    space.run("early", "cat /etc/marker", container={"image": image})
    waits = lambda pod: pods.waiting_reason(pod) in ("ErrImagePull", "ImagePullBackOff")  # noqa: E731
    space.until("early", waits, what="waits")
    registry.push(testimage.build(marker="late"), name="late", tag="1")
    space.phase("early", "Succeeded", timeout=60)


def test_archives_of_both_formats_are_loaded(space: Space, cluster: Cluster, tmp_path: Path) -> None:
    if not cluster.home:
        pytest.skip("images are loaded by the command of a cluster that we started")
    image = testimage.build(marker="loaded")
    for kind, archive in (("docker", image.docker_archive), ("oci", image.oci_archive)):
        name = f"kubeling.test/{kind}:1"
        (tmp_path / kind).write_bytes(archive(name))
        assert name in cluster.kubeling("image", "load", str(tmp_path / kind))
        assert name in cluster.kubeling("image", "list")
        assert space.run_through(kind, "cat /etc/marker", container={"image": name}) == "loaded"


def test_the_node_lists_its_images(space: Space, cluster: Cluster) -> None:
    nodes = space.rest.get("/api/v1/nodes")["items"]
    names = [name for node in nodes for image in node["status"].get("images", []) for name in image["names"]]
    assert any(cluster.image in name for name in names), names
