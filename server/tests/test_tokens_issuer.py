"""Tokens as such: what is signed, who can verify it, what is refused."""

import base64
import hmac
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from server.tokens import discovery
from server.tokens.claims import Binding, Reference
from server.tokens.issuer import ISSUER, Issuer, Life, TokenError
from server.tokens.keys import SigningKey, SigningKeyError, VerificationKey, base64url

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ACCOUNT = Reference("robot", "u-1")


@pytest.fixture(scope="module", params=["P-256", "P-384", "RSA"])
def key(request: pytest.FixtureRequest) -> SigningKey:
    if request.param == "RSA":
        return SigningKey(rsa.generate_private_key(65537, 2048))
    curve = ec.SECP256R1() if request.param == "P-256" else ec.SECP384R1()
    return SigningKey(ec.generate_private_key(curve))


def issue(issuer: Issuer, **changes: Any) -> str:
    wanted: dict[str, Any] = {
        "namespace": "a",
        "account": ACCOUNT,
        "audiences": ["x"],
        "binding": Binding(),
        "life": Life(600),
        "now": NOW,
    }
    return issuer.issue(**(wanted | changes))


def part(token: str, number: int) -> Any:
    text = token.split(".")[number]
    return orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def test_the_published_keys_verify_a_token(key: SigningKey) -> None:
    issuer = Issuer(key)
    published = jwt.PyJWKSet.from_dict(orjson.loads(discovery.key_set(issuer)))
    token = issue(issuer)
    header = part(token, 0)
    assert header == {"alg": key.algorithm, "kid": key.id}
    read = jwt.decode(
        token,
        published[header["kid"]].key,
        algorithms=[key.algorithm],
        audience="x",
        options={"verify_exp": False},
    )
    assert read["sub"] == "system:serviceaccount:a:robot"


def test_the_claims_are_those_of_kubernetes() -> None:
    issuer = Issuer(SigningKey(ec.generate_private_key(ec.SECP256R1())))
    binding = Binding(pod=Reference("p", "u-2"), node=Reference("n", "u-3"))
    claims = part(issue(issuer, binding=binding, life=Life(1000, warn_after=600)), 1)
    start = int(NOW.timestamp())
    assert claims.pop("jti")
    assert claims == {
        "aud": ["x"],
        "exp": start + 1000,
        "iat": start,
        "iss": ISSUER,
        "kubernetes.io": {
            "namespace": "a",
            "node": {"name": "n", "uid": "u-3"},
            "pod": {"name": "p", "uid": "u-2"},
            "serviceaccount": {"name": "robot", "uid": "u-1"},
            "warnafter": start + 600,
        },
        "nbf": start,
        "sub": "system:serviceaccount:a:robot",
    }


def test_only_the_usual_token_of_a_pod_lives_longer_than_it_says(key: SigningKey) -> None:
    issuer = Issuer(key)
    pod = Binding(pod=Reference("p", "u"))
    assert issuer.life(3607, audiences=[ISSUER], binding=pod) == Life(31536000, warn_after=3607)
    assert issuer.life(3607, audiences=["vault"], binding=pod) == Life(3607)
    assert issuer.life(3600, audiences=[ISSUER], binding=pod) == Life(3600)
    assert issuer.life(3607, audiences=[ISSUER], binding=Binding()) == Life(3607)


def test_what_was_signed_is_read_back(key: SigningKey) -> None:
    issuer = Issuer(key)
    read = issuer.read(issue(issuer, binding=Binding(secret=Reference("s", "u-4"))))
    assert read is not None
    assert (read.namespace, read.account, read.secret) == ("a", ACCOUNT, Reference("s", "u-4"))
    assert (read.audiences, read.expires_at) == (("x",), NOW.timestamp() + 600)
    legacy = issuer.read(issuer.legacy(namespace="a", account=ACCOUNT, secret="s"))
    assert legacy is not None
    assert (legacy.legacy_secret, legacy.expires_at, legacy.audiences) == ("s", 0, ())


@pytest.mark.parametrize("text", ["", "a.b.c", "x" * 20000, "e30.e30.", "....", "e30.W10.x", "ÿ.ÿ.ÿ"])
def test_what_is_no_token_of_the_issuer_is_somebody_elses(key: SigningKey, text: str) -> None:
    assert Issuer(key).read(text) is None


def test_a_token_of_another_issuer_is_somebody_elses(key: SigningKey) -> None:
    assert Issuer(key).read(issue(Issuer(key, url="https://elsewhere"))) is None


def test_forged_tokens_are_refused(key: SigningKey) -> None:
    issuer, other = Issuer(key), SigningKey(ec.generate_private_key(ec.SECP256R1()))
    good, foreign = issue(issuer), issue(Issuer(other))
    head, payload, signature = good.split(".")
    for forged in (
        foreign,
        f"{head}.{payload}.{foreign.split('.')[2]}",
        f"{head}.{issue(issuer, namespace='b').split('.')[1]}.{signature}",
        f"{head}.{payload}.",
    ):
        with pytest.raises(TokenError):
            issuer.read(forged)


def test_neither_no_algorithm_nor_the_public_key_as_a_secret_signs_a_token(key: SigningKey) -> None:
    issuer = Issuer(key)
    payload = part(issue(issuer), 1)
    pem = key.public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    unsigned = jwt.encode(payload, "", algorithm="none")
    secret = jwt.api_jws.PyJWS(algorithms=[])
    secret.register_algorithm("HS256", _Unchecked(jwt.algorithms.HMACAlgorithm.SHA256))
    shared = secret.encode(orjson.dumps(payload), pem, algorithm="HS256", headers={"kid": key.id})
    for forged in (unsigned, shared):
        with pytest.raises(TokenError):
            issuer.read(forged)


class _Unchecked(jwt.algorithms.HMACAlgorithm):
    """Lets a public key be a shared secret, as attackers do."""

    def prepare_key(self, key: str | bytes) -> bytes:
        return key if isinstance(key, bytes) else key.encode()


def test_a_token_without_a_service_accounts_claims_is_refused(key: SigningKey) -> None:
    issuer = Issuer(key)
    for payload in ({"iss": ISSUER}, {"iss": ISSUER, "kubernetes.io": 7}, {"iss": ISSUER, "sub": "x"}):
        token = jwt.encode(payload, key.private, algorithm=key.algorithm, headers={"kid": key.id})
        with pytest.raises(TokenError):
            issuer.read(token)


def test_the_configuration_says_where_the_keys_are(key: SigningKey) -> None:
    document = orjson.loads(discovery.configuration(Issuer(key), address="192.0.2.1:6443"))
    assert document == {
        "issuer": ISSUER,
        "jwks_uri": "https://192.0.2.1:6443/openid/v1/jwks",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [key.algorithm],
    }


def test_a_key_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(SigningKeyError, match="cannot read"):
        SigningKey.read(tmp_path / "absent")
    (tmp_path / "key").write_text("nonsense")
    with pytest.raises(SigningKeyError, match="holds no private key"):
        SigningKey.read(tmp_path / "key")


def test_tokens_of_an_older_key_count_as_long_as_it_is_named(key: SigningKey) -> None:
    old, new = Issuer(key), SigningKey(ec.generate_private_key(ec.SECP256R1()))
    rotated = Issuer(new, others=lambda: [VerificationKey(key.public), VerificationKey(new.public)])
    token = issue(old)
    assert rotated.read(token) == old.read(token)
    with pytest.raises(TokenError, match="no keys found"):
        Issuer(new).read(token)
    published = orjson.loads(discovery.key_set(rotated))["keys"]
    assert [each["kid"] for each in published] == [new.id, key.id]
    algorithms = orjson.loads(discovery.configuration(rotated, address="a:1"))
    assert set(algorithms["id_token_signing_alg_values_supported"]) == {new.algorithm, key.algorithm}


@pytest.mark.parametrize("with_id", [True, False])
def test_an_older_public_key_is_no_secret_either(key: SigningKey, with_id: bool) -> None:
    """Nor does one key's token pass as another's."""
    new = SigningKey(ec.generate_private_key(ec.SECP256R1()))
    rotated = Issuer(new, others=lambda: [VerificationKey(key.public)])
    pem = key.public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    header = {"alg": "HS256", "typ": "JWT"} | ({"kid": key.id} if with_id else {})
    parts = [base64url(orjson.dumps(part)) for part in (header, {"iss": rotated.url})]
    signed = ".".join(parts)
    forged = f"{signed}.{base64url(hmac.digest(pem, signed.encode(), 'sha256'))}"
    with pytest.raises(TokenError, match="cryptographic primitive"):
        rotated.read(forged)


def test_a_verification_key_is_read_from_either_half(key: SigningKey, tmp_path: Path) -> None:
    pem = serialization.Encoding.PEM
    private = key.private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = key.public.public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    for data in (private, public):
        (tmp_path / "key").write_bytes(data)
        assert VerificationKey.read(tmp_path / "key").id == key.id
