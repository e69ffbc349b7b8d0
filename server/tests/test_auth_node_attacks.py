"""What one who has taken over a node - its certificate - tries against the rest of the cluster."""

import base64
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from server.tests.hostile import allow, ask, grant, status_of

PODS = "/api/v1/namespaces/default/pods"
SECRETS = "/api/v1/namespaces/default/secrets"
CSRS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
MERGE = "Content-Type: application/merge-patch+json"
JSON = "Content-Type: application/json"


@pytest.fixture
async def cluster(api: Any) -> Any:
    """Two nodes with a pod each, each of which has a secret and an account of its own."""
    for node, pod in (("n1", "mine"), ("n2", "theirs")):
        await api.post("/api/v1/nodes", {"metadata": {"name": node}})
        await api.post("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": pod}})
        await api.post(SECRETS, {"metadata": {"name": pod}, "stringData": {"k": "v"}})
        volumes = [{"name": "v", "secret": {"secretName": pod}}]
        spec = {
            "nodeName": node,
            "serviceAccountName": pod,
            "containers": [{"name": "c", "image": "i"}],
            "volumes": volumes,
        }
        made = await api.post(PODS, {"metadata": {"name": pod}, "spec": spec})
        assert made.status == 201, made.body
    return api


async def as_node(api: Any, method: str, path: str, body: Any = None, *headers: str) -> bytes:
    """A request with the certificate of n1."""
    node = api.keys.node
    data = orjson.dumps(body) if body is not None else b""
    return await ask(
        api, method, path, *(headers or (JSON,)), body=data, certificate=(node.certificate, node.key)
    )


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?fieldSelector=spec.nodeName%21%3Dn1",
        "?fieldSelector=spec.nodeName%3Dn2",
        "?fieldSelector=metadata.name%21%3Dx%5C,spec.nodeName%3Dn1",
        "?fieldSelector=metadata.name%21%3Dspec.nodeName%3Dn1",
        "?fieldSelector=spec.nodeName%3Dn2&fieldSelector=spec.nodeName%3Dn1",
        "?labelSelector=spec.nodeName%3Dn1",
        "?watch=1&timeoutSeconds=1",
        "?watch=1&timeoutSeconds=1&fieldSelector=status.phase%21%3Dx%5C%2Cspec.nodeName%3Dn1",
        "/theirs",
        "/theirs?fieldSelector=spec.nodeName%3Dn1",
        "?fieldSelector=metadata.name%3Dtheirs",
    ],
)
async def test_pods_of_other_nodes_are_not_seen(cluster: Any, query: str) -> None:
    for where in (PODS, "/api/v1/pods"):
        if where == PODS or not query.startswith("/"):
            answer = await as_node(cluster, "GET", where + query)
            assert status_of(answer) in (400, 403), answer
            assert b"containers" not in answer


async def test_its_own_pods_are(cluster: Any) -> None:
    for query in (
        "fieldSelector=spec.nodeName%3Dn1",
        "fieldSelector=status.phase%21%3DX,spec.nodeName%3D%3Dn1",
    ):
        answer = await as_node(cluster, "GET", f"/api/v1/pods?{query}")
        assert (status_of(answer), b'"mine"' in answer, b'"theirs"' in answer) == (200, True, False)
    assert status_of(await as_node(cluster, "GET", f"{SECRETS}/mine")) == 200
    assert status_of(await as_node(cluster, "GET", "/api/v1/namespaces/default/serviceaccounts/mine")) == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("GET", f"{SECRETS}/theirs", None, 403),
        ("GET", SECRETS, None, 403),
        ("GET", f"{SECRETS}?fieldSelector=metadata.name%3Dtheirs", None, 403),
        ("PUT", f"{SECRETS}/mine", {"metadata": {"name": "mine"}}, 403),
        ("GET", "/api/v1/namespaces/default/serviceaccounts/theirs", None, 403),
        ("POST", "/api/v1/namespaces/default/serviceaccounts/theirs/token", {"spec": {}}, 403),
        ("POST", "/api/v1/namespaces/default/serviceaccounts/mine/token", {"spec": {}}, 403),
        ("POST", "/api/v1/namespaces/kube-system/serviceaccounts/default/token", {"spec": {}}, 403),
        ("DELETE", f"{PODS}/theirs", None, 403),
        ("DELETE", PODS, None, 403),
        (
            "POST",
            f"{PODS}/theirs/eviction",
            {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "theirs"}},
            403,
        ),
        ("POST", f"{PODS}/mine/binding", {"target": {"name": "n1"}}, 403),
        ("POST", f"{PODS}/theirs/exec?command=ls&stdout=1", None, 403),
        ("GET", "/api/v1/nodes/n2", None, 403),
        ("GET", "/api/v1/nodes", None, 403),
        ("GET", "/api/v1/nodes/n1/proxy/pods", None, 403),
        ("DELETE", "/api/v1/nodes/n1", None, 403),
        ("POST", "/api/v1/nodes", {"metadata": {"name": "n3"}}, 403),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/n2", {}, 403),
        ("GET", "/api/v1/namespaces/default/configmaps/any", None, 403),
        ("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {}, 403),
        ("GET", "/api/v1/persistentvolumes", None, 403),
    ],
)
async def test_the_rest_of_the_cluster_is_out_of_reach(
    cluster: Any, method: str, path: str, body: Any, code: int
) -> None:
    answer = await as_node(cluster, method, path, body)
    assert status_of(answer) == code, answer


@pytest.mark.parametrize(
    ("path", "patch", "why"),
    [
        ("/api/v1/nodes/n2/status", {"status": {"phase": "x"}}, "is not allowed to modify node"),
        ("/api/v1/nodes/n1", {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}}, "modify taints"),
        ("/api/v1/nodes/n1", {"metadata": {"labels": {"node-restriction.kubernetes.io/a": "b"}}}, "labels"),
        (
            "/api/v1/nodes/n1/status",
            {"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}},
            "labels",
        ),
        (
            "/api/v1/nodes/n1",
            {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "u"}]}},
            "modify ownerReferences",
        ),
        (f"{PODS}/theirs/status", {"status": {"phase": "Failed"}}, "can only update pod status for pods"),
        (f"{PODS}/mine/status", {"metadata": {"labels": {"a": "b"}}}, "cannot update labels"),
        (f"{PODS}/mine", {"metadata": {"labels": {"a": "b"}}}, 'cannot patch resource "pods"'),
        (
            f"{PODS}/mine/ephemeralcontainers",
            {"spec": {}},
            'cannot patch resource "pods/ephemeralcontainers"',
        ),
    ],
)
async def test_it_writes_of_itself_and_its_own_only(cluster: Any, path: str, patch: Any, why: str) -> None:
    answer = await as_node(cluster, "PATCH", path, patch, MERGE)
    assert status_of(answer) == 403, answer
    assert why.encode() in answer.replace(b"\\", b"")


def signing_request(*names: tuple[Any, str], signer: str = "kubernetes.io/kube-apiserver-client") -> Any:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(kind, value) for kind, value in names])
    request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    encoded = base64.b64encode(request.public_bytes(serialization.Encoding.PEM)).decode()
    spec = {"request": encoded, "signerName": signer, "usages": ["client auth"]}
    return {"metadata": {"generateName": "csr-"}, "spec": spec}


KUBELET = "kubernetes.io/kube-apiserver-client-kubelet"
NODES = (NameOID.ORGANIZATION_NAME, "system:nodes")


@pytest.mark.parametrize(
    ("names", "signer", "why"),
    [
        (
            [(NameOID.ORGANIZATION_NAME, "system:masters"), (NameOID.COMMON_NAME, "x")],
            "kubernetes.io/kube-apiserver-client",
            "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed",
        ),
        ([NODES, (NameOID.COMMON_NAME, "system:node:n2")], KUBELET, "CN=system:node:n1"),
        (
            [NODES, (NameOID.COMMON_NAME, "system:node:n1"), (NameOID.COMMON_NAME, "system:node:n2")],
            KUBELET,
            "CN=system:node:n1",
        ),
    ],
)
async def test_it_asks_for_no_other_certificate_than_its_own(
    cluster: Any, names: Any, signer: str, why: str
) -> None:
    answer = await as_node(cluster, "POST", CSRS, signing_request(*names, signer=signer))
    assert status_of(answer) == 403, answer
    assert why.encode() in answer


async def test_who_may_ask_for_certificates_may_not_grant_them(api: Any) -> None:
    resources = ("", "/approval", "/status")
    rules = [
        allow("*", f"certificatesigningrequests{each}", groups="certificates.k8s.io") for each in resources
    ]
    await grant(api, "bob", *rules, namespace="")
    request = signing_request((NameOID.COMMON_NAME, "admin"))
    request["spec"] |= {"username": "admin", "groups": ["system:masters"], "uid": "1"}
    made = await api.request("POST", CSRS, body=request, token="bobs-token")
    assert made.status == 201, made.body
    spec = made.json["spec"]
    assert (spec["username"], "system:masters" in spec["groups"]) == ("bob", False)
    path = f"{CSRS}/{made.json['metadata']['name']}"
    certificate = base64.b64encode(api.keys.admin.certificate.read_bytes()).decode()
    approved = {"type": "Approved", "status": "True", "reason": "x", "message": "x"}
    for subresource, body in (
        ("approval", {**made.json, "status": {"conditions": [approved]}}),
        ("status", {**made.json, "status": {"certificate": certificate}}),
    ):
        answer = await api.request("PUT", f"{path}/{subresource}", body=body, token="bobs-token")
        assert (answer.status, answer.json["reason"]) == (403, "Forbidden"), answer.body
    for whole in ("", "/status"):
        body = {**made.json, "status": {"conditions": [approved]}}
        await api.request("PUT", path + whole, body=body, token="bobs-token")
        assert not (await api.get(path)).json.get("status", {}).get("conditions")
