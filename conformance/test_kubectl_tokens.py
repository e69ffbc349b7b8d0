"""Service account tokens: requested, mounted, kept in Secrets; used, reviewed, and refused in the end."""

import json
from pathlib import Path

import jwt
import pytest

from conformance import bearer, pods
from conformance.bearer import ISSUER, MOUNTED
from conformance.cluster import Cluster
from conformance.kubectl import Kubectl
from conformance.rest import Object
from conformance.space import Space
from conformance.waiting import eventually

REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


@pytest.fixture
def robot(kubectl: Kubectl) -> str:
    kubectl("create", "serviceaccount", "robot")
    return "robot"


def review(space: Space, token: str, *audiences: str) -> Object:
    status: Object = space.rest.post(REVIEWS, {"spec": {"token": token, "audiences": audiences}})["status"]
    return status


def test_create_token_asks_for_life_and_audience(each_kubectl: Kubectl, space: Space) -> None:
    each_kubectl("create", "serviceaccount", "robot")
    flags = ("--duration=20m", "--audience=vault", "--audience=other")
    claims = bearer.claims(each_kubectl("create", "token", "robot", *flags).text.strip())
    assert claims["exp"] - claims["iat"] == 1200
    assert (claims["iss"], claims["aud"]) == (ISSUER, ["vault", "other"])
    assert claims["sub"] == f"system:serviceaccount:{space.name}:robot"


def test_create_token_says_what_is_wrong(kubectl: Kubectl, robot: str) -> None:
    assert "may not specify a duration less than 10 minutes" in (
        kubectl.attempt("create", "token", robot, "--duration=1m").errors
    )
    nobody = kubectl.attempt("create", "token", "nobody").errors
    assert nobody == 'error: failed to create token: serviceaccounts "nobody" not found\n'


def test_whoami_tells_the_bearer_of_a_token(kubectl: Kubectl, space: Space, tmp_path: Path) -> None:
    token = kubectl("create", "token", "default").text.strip()
    raw = kubectl.json("config", "view", "--raw", "--flatten", "--minify")
    file = bearer.kubeconfig(tmp_path / "kubeconfig", raw, {"token": token})
    told = kubectl("auth", "whoami", "--kubeconfig", str(file)).text
    assert f"system:serviceaccount:{space.name}:default" in told
    assert f"[system:serviceaccounts system:serviceaccounts:{space.name} system:authenticated]" in told


def test_a_token_verifies_with_the_published_keys(kubectl: Kubectl) -> None:
    configuration = json.loads(kubectl("get", "--raw", "/.well-known/openid-configuration").text)
    assert configuration["issuer"] == ISSUER
    keys = jwt.PyJWKSet.from_dict(json.loads(kubectl("get", "--raw", "/openid/v1/jwks").text))
    token = kubectl("create", "token", "default").text.strip()
    key = keys[jwt.get_unverified_header(token)["kid"]]
    algorithms = configuration["id_token_signing_alg_values_supported"]
    assert jwt.decode(token, key.key, algorithms=algorithms, audience=ISSUER, issuer=ISSUER)


def test_a_review_asks_for_audiences(kubectl: Kubectl, space: Space, robot: str) -> None:
    token = kubectl("create", "token", robot, "--audience=vault").text.strip()
    known = review(space, token, "elsewhere", "vault")
    assert known["authenticated"] is True
    assert known["audiences"] == ["vault"]
    assert known["user"]["username"] == f"system:serviceaccount:{space.name}:robot"
    unknown = review(space, token)
    assert not unknown.get("authenticated")
    assert "is invalid for the target audiences" in unknown["error"]


def test_a_token_ends_with_its_account(kubectl: Kubectl, cluster: Cluster, robot: str) -> None:
    token = kubectl("create", "token", robot).text.strip()
    assert bearer.owner(cluster, token)["username"].endswith(":robot")
    kubectl("delete", "serviceaccount", robot)
    bearer.refused(cluster, token)
    kubectl("create", "serviceaccount", robot)
    assert bearer.ask_who_i_am(cluster, token).code == 401


def test_a_token_ends_with_the_secret_that_it_is_bound_to(
    kubectl: Kubectl, cluster: Cluster, space: Space, robot: str
) -> None:
    space.secret("bond")
    flags = ("--bound-object-kind=Secret", "--bound-object-name=bond")
    token = kubectl("create", "token", robot, *flags).text.strip()
    assert bearer.claims(token)["kubernetes.io"]["secret"]["name"] == "bond"
    assert bearer.owner(cluster, token)
    kubectl("delete", "secret", "bond")
    bearer.refused(cluster, token)


def test_a_pods_token_is_its_own_and_ends_with_it(cluster: Cluster, kubectl: Kubectl, space: Space) -> None:
    if not cluster.containers:
        pytest.skip("needs containers")
    uid = space.run_ready("one")["metadata"]["uid"]
    token = kubectl("exec", "one", "--", "cat", f"{MOUNTED}/token").text
    assert kubectl("exec", "one", "--", "cat", f"{MOUNTED}/namespace").text == space.name
    assert "BEGIN CERTIFICATE" in kubectl("exec", "one", "--", "cat", f"{MOUNTED}/ca.crt").text
    user = bearer.owner(cluster, token)
    assert user["username"] == f"system:serviceaccount:{space.name}:default"
    extra = {key.rpartition("/")[2]: value for key, value in user["extra"].items()}
    assert (extra["pod-name"], extra["pod-uid"]) == (["one"], [uid])
    assert extra["node-name"] == [space.pod("one")["spec"]["nodeName"]]
    claims = bearer.claims(token)
    assert claims["kubernetes.io"]["warnafter"] - claims["iat"] == 3607
    space.remove_pod("one")
    bearer.refused(cluster, token)


@pytest.mark.parametrize(
    ("context", "seen"),
    [
        ({}, "644 0 0"),
        ({"runAsUser": 1000}, "600 1000 0"),
        ({"fsGroup": 2000}, "640 0 2000"),
        ({"runAsUser": 1000, "fsGroup": 2000}, "640 1000 2000"),
    ],
)
@pytest.mark.usefixtures("containers")
def test_a_pods_token_is_for_its_user_and_group(space: Space, context: Object, seen: str) -> None:
    script = f"stat -Lc '%a %u %g' {MOUNTED}/token && head -c 3 {MOUNTED}/token"
    assert space.run_through("looks", script, securityContext=context) == f"{seen}\neyJ"


@pytest.mark.usefixtures("containers")
def test_a_pod_that_wants_no_token_gets_none(space: Space) -> None:
    script = f"ls {MOUNTED} 2>/dev/null || echo none"
    assert space.run_through("bare", script, automountServiceAccountToken=False) == "none\n"


@pytest.mark.usefixtures("containers")
def test_a_token_for_another_audience_where_the_pod_wants_it(space: Space) -> None:
    source = {"serviceAccountToken": {"audience": "vault", "expirationSeconds": 700, "path": "deep/vault"}}
    volume = {"name": "v", "projected": {"sources": [source]}}
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    token = space.run_through("reads", "cat /v/deep/vault", container=mount, volumes=[volume])
    claims = bearer.claims(token)
    assert (claims["aud"], claims["exp"] - claims["iat"]) == (["vault"], 700)


@pytest.mark.usefixtures("containers")
def test_a_pod_waits_for_a_token_that_cannot_be_had(kubectl: Kubectl, space: Space, robot: str) -> None:
    space.run("waits", serviceAccountName=robot, nodeName="", schedulingGates=[{"name": "example.com/x"}])
    kubectl("delete", "serviceaccount", robot)
    space.rest.patch(space.path("pods", "waits"), {"spec": {"schedulingGates": None}})
    message = space.event("waits", "FailedMount")["message"]
    assert message.endswith(': failed to fetch token: serviceaccounts "robot" not found')
    kubectl("create", "serviceaccount", robot)
    space.ready("waits")


def test_a_pod_of_an_unknown_account_is_refused(space: Space) -> None:
    body = pods.pod("p", pods.container(space.image), serviceAccountName="nobody")
    refusal = space.rest.refusal(403, "POST", space.path("pods"), body)
    looked_up = f"error looking up service account {space.name}/nobody"
    assert refusal["message"] == f'pods "p" is forbidden: {looked_up}: serviceaccount "nobody" not found'


def test_a_secret_of_the_old_kind_is_filled_and_goes_with_its_account(
    kubectl: Kubectl, cluster: Cluster, space: Space, robot: str
) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "old", "annotations": {"kubernetes.io/service-account.name": robot}},
        "type": "kubernetes.io/service-account-token",
    }
    space.create(secret, "secrets")
    path = space.path("secrets", "old")
    eventually(lambda: (space.rest.get(path).get("data") or {}).get("token"), what="the secret is filled")
    described = kubectl("describe", "secret", "old").text
    token = described.split("token:")[1].split()[0]
    assert "ca.crt:" in described
    assert bearer.owner(cluster, token)["username"] == f"system:serviceaccount:{space.name}:robot"
    used = "kubernetes.io/legacy-token-last-used"
    eventually(
        lambda: used in (space.rest.get(path)["metadata"].get("labels") or {}), what="its use is noted"
    )
    kubectl("delete", "serviceaccount", robot)
    space.rest.gone(path)
    bearer.refused(cluster, token)
