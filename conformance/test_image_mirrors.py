"""Pulls that go wrong or elsewhere: mirrors, registries that hang or hang up, many who want the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance import pods, small_registry, testimage
from conformance.cluster import Cluster
from conformance.small_registry import SmallRegistry
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")


@pytest.fixture(scope="module")
def home(cluster: Cluster) -> Path:
    if not cluster.home:
        pytest.skip("the registries of a node elsewhere are not ours to configure")
    return cluster.home


@pytest.fixture(scope="module")
def registry(home: Path) -> Iterator[SmallRegistry]:
    with small_registry.serving() as registry:
        yield registry


def configure(home: Path, host: str, text: str) -> None:
    directory = home / "registries" / host
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "hosts.toml").write_text(text)


def test_a_mirror_serves_what_its_registry_would(space: Space, registry: SmallRegistry, home: Path) -> None:
    """The configuration is read at each pull: nothing is to be restarted."""
    registry.serve("mirrored/app", testimage.build(marker=space.name))
    mirror = f'[host."http://{registry.host}"]\ncapabilities = ["pull", "resolve"]\n'
    configure(home, "unreachable.test", f'server = "https://unreachable.test"\n{mirror}')
    image = "unreachable.test/mirrored/app:1"
    assert space.run_through("mirrored", "cat /etc/marker", container={"image": image}) == space.name
    assert registry.pulls("mirrored/app")


def test_a_mirror_may_stand_for_all_registries(space: Space, registry: SmallRegistry, home: Path) -> None:
    registry.serve("any/app", testimage.build(marker=space.name))
    configure(home, "_default", f'[host."http://{registry.host}"]\ncapabilities = ["pull", "resolve"]\n')
    try:
        image = "anywhere.test/any/app:1"
        assert space.run_through("any", "cat /etc/marker", container={"image": image}) == space.name
    finally:
        (home / "registries" / "_default" / "hosts.toml").unlink()


def test_many_pods_share_one_pull(space: Space, registry: SmallRegistry) -> None:
    image = registry.serve("shared/app", testimage.build(marker=space.name))
    registry.held.add("shared/app")
    names = [f"sharer-{at}" for at in range(4)]
    for name in names:
        space.run(name, "cat /etc/marker", container={"image": image, "imagePullPolicy": "Always"})
    for name in names:
        space.event(name, "Pulling")
    registry.release()
    for name in names:
        space.phase(name, "Succeeded")
        assert space.log(name) == space.name
    assert len(registry.pulls("shared/app")) == 1


def test_a_pod_that_goes_gives_its_pull_up(space: Space, registry: SmallRegistry) -> None:
    registry.released.clear()
    image = registry.serve("held/app", testimage.build(marker=space.name))
    registry.held.add("held/app")
    space.run("impatient", container={"image": image})
    eventually(lambda: registry.pulls("held/app"), what="its layers are asked for")
    space.remove_pod("impatient", grace=30)
    registry.release()


def test_a_layer_that_is_cut_off_is_asked_for_again(space: Space, registry: SmallRegistry) -> None:
    image = registry.serve("cut/app", testimage.build(marker=space.name))
    registry.cut.add("cut/app")
    space.run("cut", "cat /etc/marker", container={"image": image})
    space.phase("cut", "Succeeded", timeout=60)
    assert space.log("cut") == space.name
    assert registry.cut == set()


def test_a_registry_that_is_not_there(space: Space) -> None:
    space.run("lost", container={"image": "127.0.0.1:1/no/such:1"})
    failed = lambda pod: pods.waiting_reason(pod) == "ErrImagePull"  # noqa: E731
    pod = space.until("lost", failed, what="fails")
    message = pods.status_of(pod)["state"]["waiting"]["message"]
    assert message.startswith('failed to pull and unpack image "127.0.0.1:1/no/such:1"'), message
    assert "connection refused" in message
