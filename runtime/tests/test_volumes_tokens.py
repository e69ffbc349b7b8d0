"""Service account tokens in volumes: when they are asked for, renewed and written, and who may read them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.client.errors import ConnectionLost
from kubeling.client.fake import FakeClient
from kubeling.client.resources import SERVICE_ACCOUNTS
from kubeling.objects.clock import FakeClock
from runtime.pods.containers.security import common_user
from runtime.pods.environment.downward import PodFacts
from runtime.pods.identity import of_pod
from runtime.pods.paths import PodPaths
from runtime.pods.references import CONFIG_MAP, Reference, volume_references
from runtime.tests.pod_node import PodNode, a_container, a_pod, pod_node
from runtime.volumes.account_tokens import AccountTokens, TokenKind, TokenUnavailable
from runtime.volumes.payload import Contents, volume_payload

ACCOUNT = {
    "apiVersion": "v1",
    "kind": "ServiceAccount",
    "metadata": {"name": "robot", "namespace": "default"},
}


def token_volume(**source: Any) -> dict[str, Any]:
    projected = {"sources": [{"serviceAccountToken": {"path": "token", **source}}], "defaultMode": 0o644}
    return {"name": "access", "projected": projected}


def pod_with(*volumes: dict[str, Any], **spec: Any) -> dict[str, Any]:
    pod = a_pod(serviceAccountName="robot", volumes=list(volumes), **spec)
    pod["metadata"]["uid"] = "u-pod"
    return pod


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def client(clock: FakeClock) -> FakeClient:
    return FakeClient(ACCOUNT, clock=clock)


@pytest.fixture
def tokens(client: FakeClient, clock: FakeClock) -> AccountTokens:
    return AccountTokens(client, clock)


async def test_a_token_is_asked_for_once_in_the_pods_name(tokens: AccountTokens, client: FakeClient) -> None:
    pod = pod_with(token_volume(expirationSeconds=7200, audience="vault"))
    first = await tokens.get(pod)
    assert first == await tokens.get(pod) == {TokenKind("vault", 7200): "robot-vault-1"}
    asked = [request for request in client.requests if request.subresource == "token"]
    assert [(each.namespace, each.name) for each in asked] == [("default", "robot")]
    assert asked[0].body["spec"] == {
        "audiences": ["vault"],
        "expirationSeconds": 7200,
        "boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "web", "uid": "u-pod"},
    }


@pytest.mark.parametrize(("seconds", "renewed_after"), [(1000, 800), (1_000_000, 86400)])
async def test_a_token_is_renewed_at_four_fifths_of_its_life_or_after_a_day(
    tokens: AccountTokens, clock: FakeClock, seconds: int, renewed_after: int
) -> None:
    pod = pod_with(token_volume(expirationSeconds=seconds))
    kind = TokenKind("", seconds)
    await tokens.get(pod)
    wait = tokens.renewal("u-pod")
    assert wait is not None
    assert renewed_after - 10 <= wait <= renewed_after
    await clock.advance(renewed_after - 11)
    assert not tokens.due("u-pod")
    assert (await tokens.get(pod))[kind] == "robot--1"
    await clock.advance(11)
    assert tokens.due("u-pod")
    assert (await tokens.get(pod))[kind] == "robot--2"


async def test_a_token_that_cannot_be_renewed_is_used_until_it_ends(
    tokens: AccountTokens, client: FakeClient, clock: FakeClock
) -> None:
    pod = pod_with(token_volume(expirationSeconds=1000))
    await tokens.get(pod)
    client.fail("create", ConnectionLost("away"), resource=SERVICE_ACCOUNTS, times=2)
    await clock.advance(900)
    assert (await tokens.get(pod))[TokenKind("", 1000)] == "robot--1"
    assert not tokens.due("u-pod")
    assert tokens.renewal("u-pod") == 60
    await clock.advance(101)
    with pytest.raises(TokenUnavailable, match="token expired and refresh failed: away"):
        await tokens.get(pod)


async def test_what_the_api_refuses_is_the_reason(tokens: AccountTokens) -> None:
    pod = pod_with(token_volume()) | {}
    pod["spec"]["serviceAccountName"] = "nobody"
    with pytest.raises(TokenUnavailable, match='failed to fetch token: serviceaccounts "nobody" not found'):
        await tokens.get(pod)


async def test_a_forgotten_pods_token_is_never_due(tokens: AccountTokens) -> None:
    await tokens.get(pod_with(token_volume()))
    tokens.forget("u-pod")
    assert tokens.renewal("u-pod") is None
    assert not tokens.due("u-pod")


@pytest.mark.parametrize(
    ("spec", "mode", "owner"),
    [
        ({}, 0o644, None),
        ({"securityContext": {"fsGroup": 2000}}, 0o600, None),
        ({"securityContext": {"runAsUser": 1000}}, 0o600, 1000),
        ({"securityContext": {"runAsUser": 1000, "fsGroup": 2000}}, 0o600, 1000),
    ],
)
def test_only_the_pods_user_or_group_may_read_a_token(
    spec: dict[str, Any], mode: int, owner: int | None
) -> None:
    pod, volume = pod_with(**spec), token_volume(expirationSeconds=3607)
    files = volume_payload(pod, volume, Contents({}, PodFacts(), {TokenKind("", 3607): "secret"}))
    assert files is not None
    assert files["token"] == (b"secret", mode, owner)


def test_containers_of_different_users_have_none_in_common() -> None:
    users = [{"runAsUser": 1}, {"runAsUser": 2}, {}]
    first, second, unsaid = (a_container(securityContext=each) for each in users)
    assert common_user(pod_with(containers=[first, first])) == 1
    assert common_user(pod_with(containers=[first, second])) is None
    assert common_user(pod_with(containers=[first, unsaid])) is None
    assert common_user(pod_with(containers=[first, unsaid], securityContext={"runAsUser": 1})) == 1


def test_an_optional_object_is_not_needed() -> None:
    sources = [{"configMap": {"name": "a"}}, {"configMap": {"name": "b", "optional": True}}]
    pod = pod_with({"name": "v", "projected": {"sources": sources}})
    needed = set(volume_references(pod, optional=False))
    assert needed == {Reference(CONFIG_MAP, "default", "a")}
    assert set(volume_references(pod)) == needed | {Reference(CONFIG_MAP, "default", "b")}


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[PodNode]:
    async with pod_node(tmp_path) as made:
        yield made


def token_file(node: PodNode) -> Path:
    stored = node.pod()
    assert stored is not None
    paths = PodPaths(node.root, of_pod(stored))
    return paths.volume("projected", "access") / "token"


async def test_a_pod_waits_for_its_token(node: PodNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.volumes.volumes._as_tmpfs", lambda *_: None)
    node.create(pod_with(token_volume()))
    failed = 'MountVolume.SetUp failed for volume "access" :'
    why = f'{failed} failed to fetch token: serviceaccounts "robot" not found'
    await node.until(lambda: node.clock.sleepers)
    assert ("FailedMount", why) in await node.events()
    node.client.put(ACCOUNT)
    await node.clock.advance(1)
    await node.running()
    assert token_file(node).read_text() == "robot--1"


async def test_a_running_pods_token_is_renewed(node: PodNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.volumes.volumes._as_tmpfs", lambda *_: None)
    node.client.put(ACCOUNT)
    node.create(pod_with(token_volume(expirationSeconds=1000)))
    await node.running()
    await node.clock.advance(800)
    await node.until(lambda: token_file(node).read_text() == "robot--2")
    await node.clock.advance(800)
    await node.until(lambda: token_file(node).read_text() == "robot--3")
