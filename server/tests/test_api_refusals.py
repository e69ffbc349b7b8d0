"""What the server says no to, and how."""

from typing import Any

import pytest

from server.api.bodies import MAX_BYTES

MAPS = "/api/v1/namespaces/default/configmaps"


async def test_nobody_is_refused_with_403_and_a_wrong_token_with_401(api: Any) -> None:
    anonymous = await api.get("/api/v1/pods", token="")
    assert anonymous.status == 403
    assert anonymous.message == (
        'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group ""'
        " at the cluster scope"
    )
    wrong = await api.get("/api/v1/pods", token="wrong")
    assert wrong.json == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "Unauthorized",
        "reason": "Unauthorized",
        "code": 401,
    }


async def test_a_user_without_rights_may_ask_who_they_are(api: Any) -> None:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    answer = await api.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", review, token="bobs-token")
    assert answer.json["status"]["userInfo"] == {
        "username": "bob",
        "uid": "u-bob",
        "groups": ["team", "system:authenticated"],
    }


@pytest.mark.parametrize(("verb", "allowed"), [("bobs-token", False), (None, True)])
async def test_access_can_be_asked_for(api: Any, verb: Any, allowed: Any) -> None:
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"verb": "list", "resource": "pods"}},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    answer = await api.request("POST", path, body=review, token=verb)
    assert answer.json["status"]["allowed"] is allowed


async def test_what_is_only_posted_has_no_table(api: Any) -> None:
    table = "application/json;as=Table;v=v1;g=meta.k8s.io"
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    review = {"spec": {"nonResourceAttributes": {"path": "/", "verb": "get"}}}
    refused = await api.post(path, review, Accept=table)
    assert (refused.status, refused.json["reason"]) == (406, "NotAcceptable")
    plain = await api.post(path, review, Accept=f"{table},application/json")
    assert plain.json["kind"] == "SelfSubjectAccessReview"


@pytest.mark.parametrize("path", ["/nothing", "/apis/example.org/v1/things", "/api/v2/pods"])
async def test_an_unknown_page_is_not_found_in_plain_text(api: Any, path: Any) -> None:
    answer = await api.get(path)
    assert (answer.status, answer.body) == (404, b"404 page not found\n")


@pytest.mark.parametrize(
    "path", ["/api/v1/things", "/api/v1/pods/p", "/api/v1/namespaces/a/nodes", f"{MAPS}/a/nothing"]
)
async def test_an_unknown_resource_is_not_found_as_a_status(api: Any, path: Any) -> None:
    answer = await api.get(path)
    assert (answer.status, answer.message) == (404, "the server could not find the requested resource")
    assert answer.json["details"] == {}  # `kubectl debug` looks into it without asking whether it is there


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/api/v1/pods"), ("PUT", MAPS), ("POST", f"{MAPS}/a"), ("DELETE", "/version")],
)
async def test_a_method_that_does_not_fit_is_refused(api: Any, method: Any, path: Any) -> None:
    answer = await api.request(method, path, body={})
    assert (answer.status, answer.json["reason"]) == (405, "MethodNotAllowed")


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"{}", "application/cbor", 415),
        (b"k8s\0junk", "application/vnd.kubernetes.protobuf", 400),
        (b" " * (MAX_BYTES + 1), "application/json", 413),
    ],
)
async def test_a_body_that_cannot_be_used_is_refused(
    api: Any, body: Any, content_type: Any, code: Any
) -> None:
    answer = await api.post(MAPS, body, Content_Type=content_type)
    assert answer.status == code
    assert answer.json["kind"] == "Status"


async def test_an_answer_that_cannot_be_made_is_refused(api: Any) -> None:
    assert (await api.get(MAPS, Accept="text/html")).status == 406
    assert (await api.get("/openapi/v3/api/v1", Accept="application/x-unknown")).status == 406


async def test_a_patch_needs_a_known_type(api: Any) -> None:
    answer = await api.request("PATCH", f"{MAPS}/a", body={}, Content_Type="application/json")
    assert answer.status == 415
    assert "application/strategic-merge-patch+json" in answer.message


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (f"{MAPS}?dryRun=Some", 'dryRun: Unsupported value: "Some": supported values: "All"'),
        (f"{MAPS}?fieldValidation=No", 'fieldValidation: Unsupported value: "No"'),
    ],
)
async def test_options_that_do_not_exist_are_invalid(api: Any, path: Any, message: Any) -> None:
    answer = await api.post(path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
    assert answer.status == 422
    assert message in answer.message


async def test_an_unexpected_error_is_a_status_and_is_logged(
    api: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from server.registry.registry import Registry

    async def broken(*arguments: Any, **options: Any) -> Any:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(Registry, "get", broken)
    answer = await api.get(f"{MAPS}/a")
    assert (answer.status, answer.json["reason"]) == (500, "InternalError")
    assert "secret" not in answer.message
    assert answer.headers["Audit-Id"] in caplog.text


async def test_a_missing_namespace_is_not_found(api: Any) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    answer = await api.post("/api/v1/namespaces/nowhere/configmaps", body)
    assert (answer.status, answer.message) == (404, 'namespaces "nowhere" not found')


async def test_a_pod_needs_its_service_account(api: Any) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p"},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    }
    answer = await api.post("/api/v1/namespaces/default/pods", pod)
    assert answer.status == 403
    assert answer.message == (
        'pods "p" is forbidden: error looking up service account default/default:'
        ' serviceaccount "default" not found'
    )
