"""Secrets of type service-account-token: filled for their account, gone with it."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from kubeling.client.fake import FakeClient
from kubeling.client.resources import SECRETS, SERVICE_ACCOUNTS
from kubeling.objects import meta
from kubeling.objects.clock import FakeClock
from server.controllers import Settings, start_controllers

NAME, UID = "kubernetes.io/service-account.name", "kubernetes.io/service-account.uid"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def client(clock: FakeClock) -> AsyncIterator[FakeClient]:
    client = FakeClient(account(), clock=clock)

    def sign(account: dict[str, Any], secret: str) -> str:
        return f"token of {meta.name(account)} in {secret}"

    settings = Settings(certificate_authority="PEM", sign_token=sign)
    controllers = start_controllers(client, clock=clock, settings=settings)
    await clock.advance(0)
    yield client
    await controllers.stop()
    await client.close()


def account(**more: Any) -> dict[str, Any]:
    own = {"name": "robot", "namespace": "ns"}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": own, **more}


def secret(*, type_: str = "kubernetes.io/service-account-token", **annotations: str) -> dict[str, Any]:
    named = {NAME: "robot"} | ({UID: annotations["uid"]} if annotations else {})
    own = {"name": "s", "namespace": "ns", "annotations": named}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": own, "type": type_}


def data(client: FakeClient) -> dict[str, str]:
    held = (client.stored(SECRETS, "s", namespace="ns") or {}).get("data") or {}
    return {key: base64.b64decode(value).decode() for key, value in held.items()}


async def test_a_token_the_certificate_and_the_namespace_are_filled_in(
    client: FakeClient, clock: FakeClock
) -> None:
    await client.create(SECRETS, secret())
    await clock.advance(0)
    assert data(client) == {"ca.crt": "PEM", "namespace": "ns", "token": "token of robot in s"}
    filled = client.stored(SECRETS, "s", namespace="ns")
    owner = client.stored(SERVICE_ACCOUNTS, "robot", namespace="ns")
    assert filled is not None
    assert owner is not None
    assert meta.annotations(filled) == {NAME: "robot", UID: meta.uid(owner)}


async def test_other_secrets_are_left_alone(client: FakeClient, clock: FakeClock) -> None:
    await client.create(SECRETS, secret(type_="Opaque"))
    await clock.advance(0)
    assert data(client) == {}


async def test_a_token_goes_with_its_account(client: FakeClient, clock: FakeClock) -> None:
    await client.create(SECRETS, secret())
    await clock.advance(0)
    await client.delete(SERVICE_ACCOUNTS, "robot", namespace="ns")
    await clock.advance(0)
    assert client.stored(SECRETS, "s", namespace="ns") is None


async def test_a_secret_for_another_account_of_that_name_goes(client: FakeClient, clock: FakeClock) -> None:
    await client.create(SECRETS, secret(uid="another"))
    await clock.advance(0)
    assert client.stored(SECRETS, "s", namespace="ns") is None


async def test_a_secret_that_is_gone_is_no_longer_listed(client: FakeClient, clock: FakeClock) -> None:
    await client.create(SECRETS, secret())
    listed = [{"name": "s"}, {"name": "other"}]
    await client.patch(SERVICE_ACCOUNTS, "robot", {"secrets": listed}, namespace="ns")
    await clock.advance(0)
    await client.delete(SECRETS, "s", namespace="ns")
    await clock.advance(0)
    owner = client.stored(SERVICE_ACCOUNTS, "robot", namespace="ns")
    assert (owner or {})["secrets"] == [{"name": "other"}]
