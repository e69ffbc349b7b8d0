"""serviceaccounts/token, TokenReview and the issuer's documents over HTTPS."""

from datetime import UTC, datetime
from typing import Any

import jwt
import orjson
import pytest

from server.tests.conftest import Answer, ApiServer
from server.tokens.claims import Reference
from server.tokens.issuer import Issuer
from server.tokens.keys import SigningKey

ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
ISSUER = "https://kubernetes.default.svc.cluster.local"


@pytest.fixture
async def account(api: ApiServer) -> str:
    """The uid of the account `robot`."""
    made = await api.post(ACCOUNTS, {"metadata": {"name": "robot"}})
    assert made.status == 201, made.body
    return str(made.json["metadata"]["uid"])


async def ask(api: ApiServer, *, metadata: Any = None, **spec: Any) -> Answer:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return await api.post(f"{ACCOUNTS}/robot/token", body | ({"metadata": metadata} if metadata else {}))


async def review(api: ApiServer, token: str, **spec: Any) -> Any:
    answer = await api.post(REVIEWS, {"spec": {"token": token, **spec}})
    assert answer.status == 201, answer.body
    return answer.json["status"]


def claims(token: str) -> Any:
    return jwt.decode(token, options={"verify_signature": False})


async def test_a_token_is_issued_for_the_api_server_and_an_hour_unless_asked_otherwise(
    api: ApiServer, account: str
) -> None:
    answer = await ask(api)
    assert answer.status == 201
    assert answer.json["kind"] == "TokenRequest"
    own, spec = answer.json["metadata"], answer.json["spec"]
    assert (own["name"], own["namespace"], own["uid"]) == ("robot", "default", account)
    assert spec == {"audiences": [ISSUER], "expirationSeconds": 3600}
    found = claims(answer.json["status"]["token"])
    assert found["exp"] - found["iat"] == 3600


async def test_a_token_works_until_its_account_goes(api: ApiServer, account: str) -> None:
    token = (await ask(api)).json["status"]["token"]
    asked = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    answer = await api.request("POST", asked, body={}, token=token)
    info = answer.json["status"]["userInfo"]
    assert (info["username"], info["uid"]) == ("system:serviceaccount:default:robot", account)
    await api.request("DELETE", f"{ACCOUNTS}/robot")
    refused = await api.request("POST", asked, body={}, token=token)
    assert (refused.status, refused.json["reason"]) == (401, "Unauthorized")


async def test_a_review_tells_the_user_and_the_audiences(api: ApiServer, account: str) -> None:
    token = (await ask(api, audiences=["vault", "other"])).json["status"]["token"]
    found = await review(api, token, audiences=["vault", ISSUER])
    assert found["authenticated"]
    assert found["audiences"] == ["vault"]
    assert found["user"]["username"] == "system:serviceaccount:default:robot"
    refused = await review(api, token)
    assert "authenticated" not in refused
    assert refused["error"] == (
        '[invalid bearer token, token audiences ["vault" "other"] is invalid for the target audiences'
        f' ["{ISSUER}"]]'
    )
    assert await review(api, "nonsense") == {"user": {}, "error": "invalid bearer token"}


async def test_a_review_of_a_static_token_knows_the_servers_audiences(api: ApiServer) -> None:
    assert (await review(api, "bobs-token"))["audiences"] == [ISSUER]
    assert (await review(api, "bobs-token", audiences=["vault"]))["error"] == "invalid bearer token"


@pytest.mark.parametrize(
    ("spec", "status", "message"),
    [
        (
            {"expirationSeconds": 599},
            422,
            'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 599:'
            " may not specify a duration less than 10 minutes",
        ),
        (
            {"expirationSeconds": 2**32 + 1},
            422,
            'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value:'
            " 4294967297: may not specify a duration larger than 2^32 seconds",
        ),
        (
            {"boundObjectRef": {"kind": "ConfigMap", "apiVersion": "v1", "name": "x"}},
            400,
            "cannot bind token to object of type /v1, Kind=ConfigMap",
        ),
        (
            {"boundObjectRef": {"kind": "Pod", "apiVersion": "v1", "name": "x"}},
            404,
            'pods "x" not found',
        ),
        (
            {"boundObjectRef": {"kind": "Node", "apiVersion": "v1", "name": "x"}},
            404,
            'nodes "x" not found',
        ),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused(
    api: ApiServer, account: str, spec: Any, status: int, message: str
) -> None:
    answer = await ask(api, **spec)
    assert (answer.status, answer.message) == (status, message)


async def test_the_request_must_mean_the_account_that_the_url_names(api: ApiServer, account: str) -> None:
    answer = await ask(api, metadata={"name": "x"})
    assert answer.message.endswith(
        'metadata.name: Invalid value: "x": must match the service account name if specified'
    )
    answer = await ask(api, metadata={"uid": "x"})
    assert answer.status == 409
    assert answer.message == (
        'Operation cannot be fulfilled on TokenRequest.authentication.k8s.io "robot": the UID in the token'
        f" request (x) does not match the UID of the service account ({account})"
    )


async def test_a_token_can_be_bound_to_a_secret(api: ApiServer, account: str) -> None:
    made = await api.post("/api/v1/namespaces/default/secrets", {"metadata": {"name": "s"}})
    reference = {"kind": "Secret", "apiVersion": "v1", "name": "s"}
    wrong = await ask(api, boundObjectRef={**reference, "uid": "x"})
    assert wrong.status == 409
    assert wrong.message == (
        'Operation cannot be fulfilled on Secret "s": the UID in the bound object reference (x) does not'
        " match the UID in record. The object might have been deleted and then recreated"
    )
    answer = await ask(api, boundObjectRef={**reference, "uid": made.json["metadata"]["uid"]})
    token = answer.json["status"]["token"]
    assert (await review(api, token))["authenticated"]
    await api.request("DELETE", "/api/v1/namespaces/default/secrets/s")
    found = await review(api, token)
    assert found["error"] == "[invalid bearer token, service account token has been invalidated]"


async def test_the_issuers_documents_may_be_kept_for_an_hour(api: ApiServer) -> None:
    configuration = await api.get("/.well-known/openid-configuration")
    assert configuration.json["issuer"] == ISSUER
    assert configuration.headers["Content-Type"] == "application/json"
    assert configuration.headers["Cache-Control"] == "public, max-age=3600"
    keys = await api.get("/openid/v1/jwks")
    assert keys.headers["Content-Type"] == "application/jwk-set+json"
    assert [each["use"] for each in keys.json["keys"]] == ["sig"]
    assert (await api.get("/openid/v1/other")).status == 404


async def test_the_use_of_a_token_in_a_secret_is_noted_on_the_secret(api: ApiServer, account: str) -> None:
    issuer = Issuer(SigningKey.read(api.keys.service_account_key))
    token = issuer.legacy(namespace="default", account=Reference("robot", account), secret="old")
    body = {
        "metadata": {"name": "old", "annotations": {"kubernetes.io/service-account.name": "robot"}},
        "type": "kubernetes.io/service-account-token",
        "stringData": {"token": token},
    }
    made = await api.post("/api/v1/namespaces/default/secrets", body)
    assert made.status == 201, made.body
    watch = await api.stream("/api/v1/namespaces/default/secrets?watch=true&resourceVersion=0")
    await watch.content.readline()
    assert (await review(api, token))["authenticated"]
    changed = orjson.loads(await watch.content.readline())["object"]["metadata"]
    assert changed["name"] == "old"
    assert changed["labels"] == {"kubernetes.io/legacy-token-last-used": f"{datetime.now(UTC):%Y-%m-%d}"}
    assert "kube-apiserver" in [each["manager"] for each in changed["managedFields"]]
