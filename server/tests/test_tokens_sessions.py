"""When a service account token is valid: as long as time, its account and its object leave it so."""

from base64 import b64encode
from datetime import timedelta
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kubeling.objects import meta
from kubeling.objects.clock import FakeClock
from server.auth.authentication import Authenticator, InvalidToken
from server.auth.service_accounts import ServiceAccountTokens
from server.auth.tokens import Tokens
from server.storage import Record
from server.tokens.claims import Binding, Reference
from server.tokens.issuer import Issuer, Life
from server.tokens.keys import SigningKey

ISSUER = Issuer(SigningKey(ec.generate_private_key(ec.SECP256R1())))
UNBOUND = Binding()
ACCOUNT, POD = Reference("robot", "u-account"), Reference("p", "u-pod")


class World:
    """Stored objects, a clock, and the authenticator that looks at both."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.records: dict[tuple[str, str, str], Record] = {}
        self.uses: list[tuple[str, str]] = []
        self.looks = 0
        accounts = ServiceAccountTokens(ISSUER, self, self.clock, used=lambda *of: self.uses.append(of))
        self.authenticator = Authenticator(Tokens(), accounts, audiences=ISSUER.audiences)
        self.put("serviceaccounts", "a", ACCOUNT)

    @property
    def revision(self) -> int:
        """Another one after each change."""
        return hash(tuple(map(id, self.records.values())))

    def get(self, resource: str, namespace: str, name: str) -> Record | None:
        self.looks += 1
        return self.records.get((resource, namespace, name))

    def put(self, resource: str, namespace: str, of: Reference, **more: Any) -> None:
        labels = more.pop("labels", {})
        deleted = more.pop("deleted", None)
        own: dict[str, Any] = {"name": of.name, "uid": of.uid, "labels": labels}
        if deleted is not None:
            own["deletionTimestamp"] = meta.timestamp(self.clock.now() + timedelta(seconds=deleted))
        record = Record(resource, namespace, of.name, of.uid, 1, 1, orjson.dumps({"metadata": own, **more}))
        self.records[resource, namespace, of.name] = record

    def token(self, *, seconds: int = 3600, binding: Binding = UNBOUND, aud: str = ISSUER.url) -> str:
        return ISSUER.issue(
            namespace="a",
            account=ACCOUNT,
            audiences=[aud],
            binding=binding,
            life=Life(seconds),
            now=self.clock.now(),
        )

    def refusal(self, token: str, *audiences: str) -> str:
        with pytest.raises(InvalidToken) as caught:
            self.authenticator.bearer(token, audiences)
        return caught.value.why.removeprefix("[invalid bearer token, ").removesuffix("]")


@pytest.fixture
def world() -> World:
    return World()


def test_the_owner_is_the_account(world: World) -> None:
    world.put("pods", "a", POD)
    binding = Binding(pod=POD, node=Reference("n", "u-node"))
    user = world.authenticator.bearer(world.token(binding=binding)).user
    assert (user.name, user.uid) == ("system:serviceaccount:a:robot", "u-account")
    assert user.groups == ("system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated")
    extra = {key.removeprefix("authentication.kubernetes.io/"): value for key, value in user.extra.items()}
    assert extra.pop("credential-id")[0].startswith("JTI=")
    assert extra == {
        "node-name": ("n",),
        "node-uid": ("u-node",),
        "pod-name": ("p",),
        "pod-uid": ("u-pod",),
    }


async def test_a_token_expires_a_minute_late(world: World) -> None:
    token = world.token(seconds=600)
    identity = world.authenticator.bearer(token)
    await world.clock.advance(659)
    assert identity.holds is not None
    assert identity.holds()
    world.authenticator.bearer(token)
    await world.clock.advance(2)
    assert not identity.holds()
    assert world.refusal(token) == "service account token has expired"


async def test_a_token_from_the_future_is_not_valid_yet(world: World) -> None:
    early = World()
    await world.clock.advance(61)
    assert early.refusal(world.token()) == "service account token is not valid yet"


def test_a_token_ends_with_its_account(world: World) -> None:
    token = world.token()
    identity = world.authenticator.bearer(token)
    world.put("serviceaccounts", "a", ACCOUNT._replace(uid="other"))
    assert identity.holds is not None
    assert not identity.holds()
    assert world.refusal(token) == "service account UID (other) does not match claim (u-account)"
    del world.records["serviceaccounts", "a", "robot"]
    assert world.refusal(token) == 'serviceaccounts "robot" not found'


@pytest.mark.parametrize(("kind", "plural", "space"), [("pod", "pods", "a"), ("node", "nodes", "")])
def test_a_token_ends_with_the_object_that_it_is_bound_to(
    world: World, kind: str, plural: str, space: str
) -> None:
    bound = Reference("x", "u-x")
    token = world.token(binding=Binding(**{kind: bound}))
    assert world.refusal(token) == "service account token has been invalidated"
    world.put(plural, space, bound)
    identity = world.authenticator.bearer(token)
    world.put(plural, space, bound._replace(uid="new"))
    assert identity.holds is not None
    assert not identity.holds()
    assert world.refusal(token).startswith(f"{kind} UID (new) does not match")


async def test_a_deleted_pods_token_lives_a_minute_longer_than_the_pod(world: World) -> None:
    world.put("pods", "a", POD)
    token = world.token(binding=Binding(pod=POD))
    world.put("pods", "a", POD, deleted=30)
    identity = world.authenticator.bearer(token)
    await world.clock.advance(89)
    assert identity.holds is not None
    assert identity.holds()
    await world.clock.advance(2)
    assert not identity.holds()
    assert world.refusal(token) == "service account token has been invalidated"


def test_a_change_of_the_account_that_leaves_it_the_same_leaves_the_token_valid(world: World) -> None:
    token = world.token()
    world.authenticator.bearer(token)
    world.put("serviceaccounts", "a", ACCOUNT, labels={"x": "y"})
    assert world.authenticator.bearer(token).holds


def test_a_token_is_for_its_audiences_only(world: World) -> None:
    token = world.token(aud="vault")
    assert world.refusal(token) == (
        'token audiences ["vault"] is invalid for the target audiences'
        ' ["https://kubernetes.default.svc.cluster.local"]'
    )
    assert world.authenticator.bearer(token, ("other", "vault")).audiences == ("vault",)


LEGACY = ISSUER.legacy(namespace="a", account=ACCOUNT, secret="s")
SECRET = Reference("s", "u-secret")
DATA = {"token": b64encode(LEGACY.encode()).decode()}


async def test_a_token_in_a_secret_is_valid_as_long_as_the_secret_holds_it(world: World) -> None:
    assert world.refusal(LEGACY) == "Token has been invalidated"
    world.put("secrets", "a", SECRET, data=DATA)
    assert world.authenticator.bearer(LEGACY).user.name == "system:serviceaccount:a:robot"
    world.put("secrets", "a", SECRET, data={"token": ""})
    assert world.refusal(LEGACY) == "Token does not match server's copy"
    world.put("secrets", "a", SECRET, data=DATA, deleted=10)
    assert world.refusal(LEGACY) == "Token has been invalidated"


async def test_the_first_use_in_a_day_of_a_token_in_a_secret_is_told(world: World) -> None:
    world.put("secrets", "a", SECRET, data=DATA)
    identity = world.authenticator.bearer(LEGACY)
    assert world.uses == [("a", "s")]
    label = {"kubernetes.io/legacy-token-last-used": world.clock.now().strftime("%Y-%m-%d")}
    world.put("secrets", "a", SECRET, data=DATA, labels=label)
    world.authenticator.bearer(LEGACY)
    assert len(world.uses) == 1
    await world.clock.advance(86400)
    assert identity.holds is not None
    assert not identity.holds()
    world.authenticator.bearer(LEGACY)
    assert len(world.uses) == 2


def test_a_token_in_a_secret_that_is_marked_invalid_is_refused(world: World) -> None:
    since = {"kubernetes.io/legacy-token-invalid-since": "2026-01-01"}
    world.put("secrets", "a", SECRET, data=DATA, labels=since)
    assert "has been marked invalid" in world.refusal(LEGACY)


def test_a_second_request_looks_the_objects_up_and_nothing_more(world: World) -> None:
    world.put("pods", "a", POD)
    identity = world.authenticator.bearer(world.token(binding=Binding(pod=POD)))
    world.looks = 0
    assert identity.holds is not None
    assert identity.holds()
    assert world.looks == 2
    assert identity.holds()
    assert world.looks == 2  # nothing at all was written in between
