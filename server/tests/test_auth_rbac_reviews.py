"""Access reviews over HTTP: what is asked wrongly, what is answered; and who is told 401, who 403."""

from typing import Any

import pytest

BASE = "/apis/authorization.k8s.io/v1"
SAR, SELF = f"{BASE}/subjectaccessreviews", f"{BASE}/selfsubjectaccessreviews"
RULES = f"{BASE}/selfsubjectrulesreviews"
LOCAL = f"{BASE}/namespaces/default/localsubjectaccessreviews"
PODS = {"verb": "list", "resource": "pods", "namespace": "default"}
BOB = "bobs-token"


@pytest.mark.parametrize(
    ("path", "spec", "why"),
    [
        (SAR, {"resourceAttributes": PODS}, "spec.user: Invalid value"),
        (
            SAR,
            {"user": "bob"},
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        ),
        (
            SELF,
            {"resourceAttributes": PODS, "nonResourceAttributes": {"path": "/", "verb": "get"}},
            "cannot be specified in combination with resourceAttributes",
        ),
        (
            LOCAL,
            {"user": "bob", "resourceAttributes": {**PODS, "namespace": "other"}},
            'spec.resourceAttributes.namespace: Invalid value: "other": must match metadata.namespace',
        ),
        (
            LOCAL,
            {"user": "bob", "nonResourceAttributes": {"path": "/", "verb": "get"}},
            "spec.nonResourceAttributes: Invalid value: disallowed on this kind of request",
        ),
        (
            SELF,
            {"resourceAttributes": {**PODS, "fieldSelector": {}}},
            "spec.resourceAttributes.fieldSelector.requirements: Required value",
        ),
        (
            SELF,
            {
                "resourceAttributes": {
                    **PODS,
                    "labelSelector": {"requirements": [{"key": "a", "operator": "In"}]},
                }
            },
            "must be specified when `operator` is 'In' or 'NotIn'",
        ),
    ],
)
async def test_a_review_that_makes_no_sense_is_invalid(api: Any, path: str, spec: Any, why: str) -> None:
    answer = await api.post(path, {"spec": spec})
    assert (answer.status, answer.json["reason"]) == (422, "Invalid")
    assert why in answer.message


async def judged(api: Any, user: str, **attributes: Any) -> Any:
    spec = {"user": user, "groups": ["system:nodes"], "resourceAttributes": {**PODS, **attributes}}
    answer = await api.post(SAR, {"spec": spec})
    assert answer.status == 201, answer.body
    return answer.json["status"]


async def test_field_selectors_count(api: Any) -> None:
    own = {"requirements": [{"key": "spec.nodeName", "operator": "In", "values": ["n1"]}]}
    node, why = "system:node:n1", "can only list/watch pods with spec.nodeName field selector"
    assert await judged(api, node) == {"allowed": False, "reason": why}
    assert await judged(api, node, fieldSelector=own) == {"allowed": True}
    assert await judged(api, node, fieldSelector={"rawSelector": "spec.nodeName=n1"}) == {"allowed": True}
    assert not (await judged(api, node, fieldSelector={"rawSelector": "spec.nodeName=n2"}))["allowed"]


async def test_a_selector_that_cannot_be_read_is_left_out_and_told(api: Any) -> None:
    own = {"key": "spec.nodeName", "operator": "In", "values": ["n1"]}
    strange = {"key": "spec.nodeName", "operator": "Near", "values": ["n1"]}
    partly = await judged(api, "system:node:n1", fieldSelector={"requirements": [own, strange]})
    assert partly["allowed"]
    told = "spec.resourceAttributes.fieldSelector partially ignored due to parse error"
    assert partly["evaluationError"] == told
    raw = await judged(api, "system:node:n1", labelSelector={"rawSelector": "a in (b"})
    assert raw["evaluationError"] == "spec.resourceAttributes.labelSelector ignored due to parse error"


async def test_the_rules_of_a_user(api: Any) -> None:
    answer = await api.request("POST", RULES, body={"spec": {"namespace": "default"}}, token=BOB)
    status = answer.json["status"]
    assert not status["incomplete"]
    reviews = {
        "verbs": ["create"],
        "apiGroups": ["authentication.k8s.io"],
        "resources": ["selfsubjectreviews"],
    }
    assert reviews in status["resourceRules"]
    assert any("/version" in rule["nonResourceURLs"] for rule in status["nonResourceRules"])
    missing = await api.request("POST", RULES, body={"spec": {}}, token=BOB)
    assert (missing.status, missing.message) == (400, "no namespace on request")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/pods"),
        ("GET", "/apis/example.com/v1/unheardof"),
        ("POST", "/api/v1/namespaces/default/pods/p/exec"),
        ("GET", "/api/v1/namespaces/default/pods/p/log"),
        ("GET", "/metrics"),
        ("POST", SAR),
    ],
)
async def test_what_is_not_allowed_is_forbidden_whether_it_exists_or_not(
    api: Any, method: str, path: str
) -> None:
    assert (await api.request(method, path, body={}, token=BOB)).status == 403
    assert (await api.request(method, path, body={}, token="")).status == 403
    assert (await api.request(method, path, body={}, token="wrong")).status == 401


async def test_rights_follow_a_binding_from_the_next_request_on(api: Any) -> None:
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default"
    rule = {"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"}
    subject = {"kind": "Group", "name": "team"}
    asked = {"method": "GET", "path": "/api/v1/namespaces/default/pods", "token": BOB}
    await api.post(f"{rbac}/roles", {"metadata": {"name": "r"}, "rules": [rule]})
    assert (await api.request(**asked)).status == 403
    binding = {"metadata": {"name": "b"}, "roleRef": reference, "subjects": [subject]}
    assert (await api.post(f"{rbac}/rolebindings", binding)).status == 201
    assert (await api.request(**asked)).status == 200
    await api.request("DELETE", f"{rbac}/rolebindings/b")
    assert (await api.request(**asked)).status == 403


async def test_a_binding_keeps_its_role_and_says_what_is_wrong_with_it(api: Any) -> None:
    path = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    reference = {"kind": "Role", "name": "r"}
    wrong = {
        "metadata": {"name": "b"},
        "roleRef": reference,
        "subjects": [{"kind": "ServiceAccount", "name": "x"}],
    }
    refused = await api.post(path, wrong)
    assert refused.status == 422
    assert [each["field"] for each in refused.json["details"]["causes"]] == [
        "roleRef.kind",
        "subjects[0].namespace",
    ]
    right = {"metadata": {"name": "b"}, "roleRef": {"kind": "ClusterRole", "name": "view"}}
    made = (await api.post(path, right)).json
    made["roleRef"]["name"] = "edit"
    changed = await api.request("PUT", f"{path}/b", body=made)
    assert (changed.status, "cannot change roleRef" in changed.message) == (422, True)
