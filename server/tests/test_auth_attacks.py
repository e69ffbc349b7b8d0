"""What an attacker tries with few rights, and does not get."""

import base64
from typing import Any

import pytest

from server.tests.hostile import RBAC, allow, ask, grant, status_of, talk

PODS = "/api/v1/namespaces/default/pods"
BOB, AS_BOB = "bobs-token", "Authorization: Bearer bobs-token"


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/secrets",
        "//api/v1/secrets",
        "/api//v1/secrets",
        "/api/v1//secrets",
        "/api/v1/secrets/",
        "/api/v1/namespaces//secrets",
        "/api/v1/namespaces/default/../kube-system/secrets",
        "/api/v1/namespaces/default/pods/../../kube-system/secrets",
        "/healthz/../api/v1/secrets",
        "/version/%2e%2e/api/v1/secrets",
        "/api/v1/namespaces/default%2f..%2fkube-system/secrets",
        "/api/v1/namespaces/default/secrets%2fx",
        "/api/v1/namespaces/default/Secrets",
        "/api/v1/watch/secrets",
        "/api/v1/watch/namespaces/kube-system/secrets/x",
        "/api/v1/proxy/namespaces/default/pods/x",
        "/api/v1/namespaces/default/pods/x/status/../../secrets",
        "/api/v1/namespaces/default/pods%3Fwatch=1",
        "/api/v1/secrets?resource=pods",
        "/metrics",
        "/openid/v1/jwks",
        "/.well-known/../metrics",
    ],
)
async def test_a_strange_path_is_no_way_in(api: Any, path: str) -> None:
    await grant(api, "bob", allow("get,list,watch", "pods"))
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "get"):
        for header in (AS_BOB, "X-Nobody: 1"):
            answer = await ask(api, method, path, header)
            public = path == "/openid/v1/jwks" and header == AS_BOB
            assert public or status_of(answer) in (400, 403, 404), (method, header, answer)
            assert b"ServiceAccountIssuer" not in answer


async def test_an_escaped_slash_is_a_slash(api: Any) -> None:
    await grant(api, "bob", allow("get", "pods", names="x"))
    answer = await ask(api, "GET", f"{PODS}/x%2Fexec?command=ls", AS_BOB)
    assert status_of(answer) == 403
    assert b'resource \\"pods/exec\\"' in answer


@pytest.mark.parametrize("verb", ["watch", "proxy"])
async def test_the_old_prefixes_open_no_connections(api: Any, verb: str) -> None:
    await grant(api, "bob", allow(verb, "*"))
    for tail in ("exec?command=ls&stdout=1", "log", "portforward?ports=80", "proxy/"):
        answer = await ask(api, "POST", f"/api/v1/{verb}/namespaces/default/pods/x/{tail}", AS_BOB)
        assert status_of(answer) in (403, 404, 405), answer


async def test_nothing_lies_behind_a_connections_path(api: Any) -> None:
    for tail in ("exec/more?command=ls&stdout=1", "log/more", "attach/more?stdout=1"):
        assert (await api.get(f"{PODS}/x/{tail}")).status == 404


@pytest.mark.parametrize("action", ["exec?command=ls&stdout=1", "attach?stdout=1", "portforward"])
async def test_a_websocket_needs_the_right_to_create(api: Any, action: str) -> None:
    await grant(api, "bob", allow("get", "pods/exec,pods/attach,pods/portforward"))
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    answer = await api.request("GET", f"{PODS}/x/{action}", token=BOB, **upgrade)
    assert (answer.status, answer.json["reason"]) == (403, "Forbidden")
    assert f'cannot create resource "pods/{action.partition("?")[0]}"' in answer.message


async def test_an_update_creates_nothing_without_the_right_to_create(api: Any) -> None:
    leases = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
    rule = allow("get,update,patch", "leases", groups="coordination.k8s.io")
    await grant(api, "bob", rule)
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "x"}}
    put = await api.request("PUT", f"{leases}/x", body=lease, token=BOB)
    applied = await api.request(
        "PATCH",
        f"{leases}/x?fieldManager=bob",
        body=lease,
        token=BOB,
        Content_Type="application/apply-patch+yaml",
    )
    for answer in (put, applied):
        assert (answer.status, "cannot create" in answer.message) == (403, True)
    assert (await api.get(f"{leases}/x")).status == 404
    assert (await api.request("PUT", f"{leases}/x", body=lease)).status == 201


@pytest.mark.parametrize(
    ("method", "path", "body", "headers"),
    [
        ("POST", PODS, {"metadata": {"name": "p", "namespace": "kube-system"}}, {}),
        ("PUT", f"{PODS}/p", {"metadata": {"name": "q"}}, {}),
        ("PUT", f"{PODS}/p", {"metadata": {"name": "p", "namespace": "kube-system"}}, {}),
        (
            "PATCH",
            f"{PODS}/p",
            {"metadata": {"namespace": "kube-system"}},
            {"Content_Type": "application/merge-patch+json"},
        ),
        (
            "PATCH",
            f"{PODS}/p?fieldManager=m",
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "kube-system"}},
            {"Content_Type": "application/apply-patch+yaml"},
        ),
        (
            "POST",
            "/apis/authorization.k8s.io/v1/namespaces/default/localsubjectaccessreviews",
            {
                "metadata": {"namespace": "kube-system"},
                "spec": {
                    "user": "u",
                    "resourceAttributes": {"namespace": "kube-system", "verb": "get", "resource": "pods"},
                },
            },
            {},
        ),
        (
            "POST",
            f"{PODS}/p/eviction",
            {
                "apiVersion": "policy/v1",
                "kind": "Eviction",
                "metadata": {"name": "p", "namespace": "kube-system"},
            },
            {},
        ),
        (
            "POST",
            "/api/v1/namespaces/default/serviceaccounts/default/token",
            {"metadata": {"namespace": "kube-system"}, "spec": {}},
            {},
        ),
    ],
)
async def test_a_body_means_what_its_url_names(
    api: Any, method: str, path: str, body: Any, headers: dict[str, str]
) -> None:
    await api.post("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
    spec = {"containers": [{"name": "c", "image": "i"}]}
    assert (await api.post(PODS, {"metadata": {"name": "p"}, "spec": spec})).status == 201
    if method != "PATCH" and path.startswith(PODS) and "eviction" not in path:
        body = body | {"spec": spec}
    answer = await api.request(method, path, body=body, **headers)
    assert answer.status in (400, 409, 422), answer.body
    assert "does not match" in answer.message or "must match" in answer.message, answer.message


@pytest.mark.parametrize(
    "data",
    [
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x",
        b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\nGET /x",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        b"Content-Length: +5\r\n\r\nhello",
        b"Content-Length: -1\r\n\r\n",
        b"X: a\r\n b\x00c\r\n\r\n",
    ],
)
async def test_a_request_with_two_ends_is_refused(api: Any, data: bytes) -> None:
    head = b"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\n"
    answer = await talk(api, head + f"Authorization: Bearer {api.token}\r\n".encode() + data)
    assert status_of(answer) == 400
    assert answer.count(b"HTTP/1.") == 1


async def test_a_huge_header_is_refused(api: Any) -> None:
    answer = await ask(api, "GET", "/version", f"X: {'a' * 200_000}")
    assert status_of(answer) in (400, 431)


@pytest.mark.parametrize(
    "headers",
    [
        ("Impersonate-User: admin",),
        ("impersonate-USER: admin", "Impersonate-Group: system:masters"),
        ("Impersonate-User: bob", "Impersonate-Group: system:masters"),
        ("Impersonate-User: alice", "Impersonate-User: bob"),
        ("Impersonate-User: bob", "Impersonate-Extra-Scopes: all"),
        ("Impersonate-User: bob", "Impersonate-Extra-a%2fb: all"),
        ("Impersonate-User: bob", "Impersonate-Uid: 1"),
        ("Impersonate-User: system:serviceaccount:kube-system:default",),
        ("Impersonate-User: system:node:n1", "Impersonate-Group: system:nodes"),
    ],
)
async def test_nobody_becomes_somebody_by_headers(api: Any, headers: tuple[str, ...]) -> None:
    await grant(api, "bob", allow("impersonate", "users", names="bob"), namespace="")
    answer = await ask(api, "GET", "/api/v1/namespaces", AS_BOB, *headers)
    assert status_of(answer) == 403
    assert b"impersonate" in answer


@pytest.mark.parametrize(
    "header",
    [
        "Authorization: Basic YWRtaW46YWRtaW4=",
        "X-Remote-User: admin",
        "X-Forwarded-User: admin",
        "Authorization: bearer",
    ],
)
async def test_what_is_no_credential_makes_nobody(api: Any, header: str) -> None:
    answer = await ask(api, "GET", "/api/v1/namespaces", header, "X-Remote-Group: system:masters")
    assert status_of(answer) == 403
    assert b"system:anonymous" in answer


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_one_name_is_no_list(api: Any, method: str) -> None:
    """resourceNames allow a list that is narrowed to the name, and no other."""
    await grant(api, "bob", allow("list,watch", "configmaps", names="mine"))
    await api.make_config_map("mine")
    await api.make_config_map("yours")
    maps = "/api/v1/namespaces/default/configmaps"
    for query in (
        "",
        "?fieldSelector=metadata.name%3Dyours",
        "?fieldSelector=metadata.name%21%3Dmine",
        "?fieldSelector=metadata.name%3Dyours&fieldSelector=metadata.name%3Dmine",
        "?fieldSelector=metadata.namespace%3Dmine",
        "?labelSelector=metadata.name%3Dmine",
        "/mine",
    ):
        assert status_of(await ask(api, method, maps + query, AS_BOB)) == 403, query
    for query in (
        "?fieldSelector=metadata.name%3Dmine",
        "?fieldSelector=metadata.name%3Dmine&fieldSelector=metadata.name%3Dyours",
    ):
        answer = await ask(api, method, maps + query, AS_BOB)
        assert status_of(answer) == 200
        assert b'"yours"' not in answer


async def test_deleting_a_collection_is_no_deleting_of_a_name(api: Any) -> None:
    await grant(api, "bob", allow("delete", "configmaps"), allow("deletecollection", "secrets", names="x"))
    await api.make_config_map("mine")
    for path in ("configmaps", "configmaps?fieldSelector=metadata.name%3Dmine", "configmaps/", "secrets"):
        answer = await ask(api, "DELETE", f"/api/v1/namespaces/default/{path}", AS_BOB)
        assert status_of(answer) == 403, path
    assert (await api.get("/api/v1/namespaces/default/configmaps/mine")).status == 200


async def test_a_role_that_does_not_exist_yet_cannot_be_bound(api: Any) -> None:
    await grant(api, "bob", allow("create,update", "rolebindings,roles", groups="rbac.authorization.k8s.io"))
    where = f"{RBAC}/namespaces/default"
    binding = {
        "metadata": {"name": "b"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "later"},
        "subjects": [{"kind": "User", "name": "bob", "apiGroup": "rbac.authorization.k8s.io"}],
    }
    answer = await api.request("POST", f"{where}/rolebindings", body=binding, token=BOB)
    assert (answer.status, answer.json["reason"]) == (404, "NotFound")
    role = {"metadata": {"name": "later"}, "rules": [allow("*", "*", groups="*")]}
    answer = await api.request("POST", f"{where}/roles", body=role, token=BOB)
    assert answer.status == 403
    assert "is attempting to grant RBAC permissions not currently held" in answer.message


@pytest.mark.parametrize(
    ("content_type", "query", "body"),
    [
        (
            "application/json-patch+json",
            "",
            [{"op": "replace", "path": "/rules", "value": [allow("*", "*", groups="*")]}],
        ),
        ("application/merge-patch+json", "", {"rules": [allow("*", "*", groups="*")]}),
        ("application/strategic-merge-patch+json", "", {"rules": [allow("*", "*", groups="*")]}),
        (
            "application/apply-patch+yaml",
            "?fieldManager=bob&force=true",
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "Role",
                "metadata": {"name": "of-bob"},
                "rules": [allow("*", "*", groups="*")],
            },
        ),
        (
            "application/merge-patch+json",
            "?dryRun=All",
            {"rules": [allow("get", "secrets")]},
        ),
    ],
)
async def test_nobody_widens_their_own_role(api: Any, content_type: str, query: str, body: Any) -> None:
    await grant(api, "bob", allow("get,patch,update", "roles", groups="rbac.authorization.k8s.io"))
    path = f"{RBAC}/namespaces/default/roles/of-bob{query}"
    answer = await api.request("PATCH", path, body=body, token=BOB, Content_Type=content_type)
    assert answer.status == 403
    assert "is attempting to grant RBAC permissions not currently held" in answer.message


async def test_an_aggregation_rule_is_for_administrators(api: Any) -> None:
    held = allow("create,update,patch,get", "clusterroles", groups="rbac.authorization.k8s.io")
    await grant(api, "bob", held, namespace="")
    role = {
        "metadata": {"name": "all"},
        "rules": [],
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]},
    }
    answer = await api.request("POST", f"{RBAC}/clusterroles", body=role, token=BOB)
    assert answer.status == 403
    assert "must have cluster-admin privileges to use the aggregationRule" in answer.message


async def test_a_refusal_does_not_tell_what_exists(api: Any) -> None:
    await api.make_config_map("there")
    for name in ("there", "missing"):
        answer = await api.request("GET", f"/api/v1/namespaces/default/configmaps/{name}", token=BOB)
        assert answer.status == 403
        assert answer.message.replace(name, "NAME") == (
            'configmaps "NAME" is forbidden: User "bob" cannot get resource "configmaps" in API group ""'
            ' in the namespace "default"'
        )


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/default/namespaces/kube-system",
        "/api/v1/namespaces/default/namespaces",
        "/api/v1/namespaces/default/namespaces/kube-system/status",
        "/api/v1/namespaces/default/namespaces/kube-system/finalize",
        "/api/v1/namespaces/default/nodes/n1",
        "/api/v1/namespaces/default/nodes/n1/proxy/",
        "/api/v1/namespaces/default/persistentvolumes",
        "/api/v1/watch/namespaces/default/namespaces/kube-system",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/default/clusterroles/cluster-admin",
    ],
)
async def test_a_right_in_a_namespace_is_none_outside(api: Any, path: str) -> None:
    """A cluster's object in a namespace's path is asked for with the namespace's rights: there is none."""
    await grant(api, "bob", allow("*", "*", groups="*"))
    await api.post("/api/v1/nodes", {"metadata": {"name": "n1"}})
    for method in ("GET", "DELETE", "POST", "PUT", "PATCH"):
        answer = await ask(api, method, path, AS_BOB)
        assert status_of(answer) == 404, (method, answer)
    assert status_of(await ask(api, "GET", "/api/v1/namespaces/default", AS_BOB)) == 200
    assert status_of(await ask(api, "GET", "/api/v1/namespaces/kube-system", AS_BOB)) == 403


def _part(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


OURS = _part('{"iss":"https://kubernetes.default.svc.cluster.local","sub":"system:serviceaccount:a:b"}')


def jws(header: str, signature: str) -> str:
    return f"{_part(header)}.{OURS}.{signature}"


@pytest.mark.parametrize(
    "token",
    [
        jws("{}", ""),
        jws("[]", "x"),
        f"\xff.{OURS}.\xff",
        f"x.{OURS}.x",
        jws('{"alg":"none"}', ""),
        jws('{"alg":"HS256","kid":7}', "AAAA"),
        jws('{"alg":"ES256","crit":["x"]}', "AAAA"),
        jws('{"alg":"ES256","b64":false}', "AAAA"),
        jws('{"alg":"RS512"}', "A" * 400),
        jws('{"alg":"ES256","jwk":{"kty":"EC"},"jku":"https://x","x5u":"https://x"}', "AAAA"),
        jws('{"alg":"ES256"}', "A" * 86),
        jws("[" * 5000, "AAAA"),
        f"a.{_part('[' * 10000)}.c",
        f"a.{_part('{}')}.c",
        "a" * 20_000,
        "..",
        "a.b.c.d.e",
        "\x00",
    ],
)
async def test_a_forged_token_is_nobodys(api: Any, token: str) -> None:
    head = "GET /api/v1/pods HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    answer = await talk(api, f"{head}Authorization: Bearer {token}\r\n\r\n".encode("latin-1"))
    assert status_of(answer) in ((400,) if "\x00" in token else (401,))
    reviewed = await api.post("/apis/authentication.k8s.io/v1/tokenreviews", {"spec": {"token": token}})
    assert reviewed.status == 201
    assert not reviewed.json["status"].get("authenticated")


@pytest.mark.parametrize(
    "header",
    [
        "Impersonate-User: \xff",
        "Impersonate-Group: \xff",
        "Impersonate-Extra-\xff: x",
        "Impersonate-Extra-%ff: \xff",
        "User-Agent: \xff\xfe/1",
        "Accept: \xff/json",
        "Accept-Encoding: \xff",
        "Content-Type: \xff",
        "Authorization: \xff \xff",
        "Authorization: Bearer \xff",
        "Cookie: \xff",
        "Connection: \xff",
        "Host: \xff",
        "If-None-Match: \xff",
    ],
)
async def test_headers_outside_unicode_are_no_error_of_the_server(api: Any, header: str) -> None:
    body = b'{"metadata":{"generateName":"x-"}}'
    name = header.partition(":")[0]
    others = {"Authorization": f"Bearer {api.token}", "Content-Type": "application/json", "Host": "x"}
    for method, path, content in (
        ("GET", "/api/v1/namespaces/default/configmaps", b""),
        ("POST", "/api/v1/namespaces/default/configmaps", body),
        ("GET", "/version", b""),
        ("GET", "/api", b""),
    ):
        kept = "".join(f"{key}: {value}\r\n" for key, value in others.items() if key != name)
        head = f"{method} {path} HTTP/1.1\r\n{kept}{header}\r\nContent-Length: {len(content)}\r\n\r\n"
        if name != "Connection":
            head = head.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
        answer = await talk(api, head.encode("latin-1") + content, lines=name == "Connection")
        assert 200 <= status_of(answer) < 500, answer
