"""Images that not everybody may pull: whose credentials are shown to whom, and who may use what is there."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from conformance import pods, small_registry, testimage
from conformance.cluster import Cluster
from conformance.small_registry import SmallRegistry
from conformance.space import Space
from conformance.waiting import eventually

pytestmark = pytest.mark.usefixtures("containers")

ME, OTHER = "me:secret", "other:secret"
FAILED = ("ErrImagePull", "ImagePullBackOff")


@pytest.fixture(scope="module")
def registry(cluster: Cluster) -> Iterator[SmallRegistry]:
    if not cluster.home:
        pytest.skip("a node elsewhere cannot reach a registry on this machine's loopback")
    with small_registry.serving() as registry:
        yield registry


def login(space: Space, name: str, *entries: tuple[str, str]) -> dict[str, str]:
    """A reference to a new pull secret: pairs of a place and a `user:password`."""
    auths = {place: {"auth": base64.b64encode(given.encode()).decode()} for place, given in entries}
    body = pods.secret(name, {".dockerconfigjson": json.dumps({"auths": auths})})
    space.create({**body, "type": "kubernetes.io/dockerconfigjson"}, "secrets")
    return {"name": name}


def marker(space: Space, name: str, image: str, **more: Any) -> str:
    container = {"image": image, "imagePullPolicy": more.pop("policy", "IfNotPresent")}
    return space.run_through(name, "cat /etc/marker", container=container, **more)


def refused(space: Space, name: str, image: str, **more: Any) -> str:
    """What is said of a pod that may not have its image."""
    space.run(name, container={"image": image, "imagePullPolicy": more.pop("policy", "IfNotPresent")}, **more)
    failed = lambda pod: pods.waiting_reason(pod) in FAILED  # noqa: E731
    pod = space.until(name, failed, what="waits for its image")
    message: str = pods.status_of(pod)["state"]["waiting"]["message"]
    space.remove_pod(name)
    return message


def test_a_pods_secrets_are_tried_in_turn(space: Space, registry: SmallRegistry) -> None:
    """The most specific first, those of other places not at all."""
    name = f"team/{space.name}"
    image = registry.serve(name, testimage.build(marker=space.name), ME)
    assert "401" in refused(space, "nobody", image) or registry.pulls(name) == []
    secrets = [
        login(space, "elsewhere", ("elsewhere.test", "hidden:x"), (f"{registry.host}/teams", "hidden:x")),
        login(space, "right", (f"http://{registry.host}/v2/", OTHER), (f"{registry.host}/team", ME)),
    ]
    missing = {"name": "missing"}
    assert marker(space, "allowed", image, imagePullSecrets=[missing, *secrets]) == space.name
    users = {each.user for each in registry.requests if each.name == name}
    assert users == {"", "me"}
    told = space.event("allowed", "FailedToRetrieveImagePullSecret")["message"]
    assert told.startswith("Unable to retrieve some image pull secrets (missing)"), told


def test_a_service_account_has_secrets_for_its_pods(space: Space, registry: SmallRegistry) -> None:
    name = f"account/{space.name}"
    image = registry.serve(name, testimage.build(marker=space.name), ME)
    patch = {"imagePullSecrets": [login(space, "account", (registry.host, ME))]}
    path = space.path("serviceaccounts", "default")
    space.rest.patch(path, patch)
    eventually(lambda: space.rest.get(path).get("imagePullSecrets"), what="the account has its secret")
    assert marker(space, "served", image) == space.name
    assert space.pod("served")["spec"]["imagePullSecrets"] == [{"name": "account"}]


def test_wrong_credentials_are_told_of(space: Space, registry: SmallRegistry) -> None:
    image = registry.serve(f"wrong/{space.name}", testimage.build(marker=space.name), ME)
    message = refused(space, "wrong", image, imagePullSecrets=[login(space, "wrong", (registry.host, OTHER))])
    assert image in message


def test_an_image_that_is_there_is_only_for_those_who_may_pull_it(
    space: Space, registry: SmallRegistry
) -> None:
    name = f"kept/{space.name}"
    image = registry.serve(name, testimage.build(marker=space.name), ME)
    mine = login(space, "mine", (registry.host, ME))
    same = login(space, "same", (registry.host, ME))
    assert marker(space, "first", image, imagePullSecrets=[mine]) == space.name
    pulled = len(registry.requests)
    assert marker(space, "again", image, imagePullSecrets=[same]) == space.name
    assert marker(space, "never", image, imagePullSecrets=[mine], policy="Never") == space.name
    assert len(registry.requests) == pulled  # nobody was asked
    assert refused(space, "stranger", image)
    space.run("forbidden", container={"image": image, "imagePullPolicy": "Never"})
    never = lambda pod: pods.waiting_reason(pod) == "ErrImageNeverPull"  # noqa: E731
    space.until("forbidden", never, what="may not have its image")
