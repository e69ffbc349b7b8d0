"""Refusals: the code, the reason and the Status that clients act upon."""

import json

from conformance import pods
from conformance.cluster import Cluster
from conformance.rest import MERGE, Rest, connect
from conformance.space import Space


def test_a_wrong_token_is_unauthorized(cluster: Cluster) -> None:
    status = connect(cluster.kubeconfig, token="wrong").refusal(401, "GET", "/api/v1/pods")
    assert (status["reason"], status["message"]) == ("Unauthorized", "Unauthorized")


def test_a_stranger_may_not_list_pods(cluster: Cluster) -> None:
    response = connect(cluster.kubeconfig, anonymous=True).request("GET", "/api/v1/pods")
    assert response.code in (401, 403), str(response)
    if response.code == 403:
        expected = 'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group ""'
        assert response.object["message"].startswith(expected), str(response)


def test_an_object_that_is_not_there(space: Space) -> None:
    status = space.rest.refusal(404, "GET", space.path("pods", "absent"))
    assert (status["reason"], status["message"]) == ("NotFound", 'pods "absent" not found')
    assert status["details"] == {"name": "absent", "kind": "pods"}


def test_a_kind_of_a_named_group_that_is_not_there(space: Space) -> None:
    status = space.rest.refusal(404, "GET", space.path("deployments", "absent", group="apis/apps/v1"))
    assert status["message"] == 'deployments.apps "absent" not found'
    assert status["details"] == {"name": "absent", "group": "apps", "kind": "deployments"}


def test_a_namespace_that_is_not_there(rest: Rest) -> None:
    body = pods.config_map("a", {})
    status = rest.refusal(404, "POST", "/api/v1/namespaces/absent-namespace/configmaps", body)
    assert status["message"] == 'namespaces "absent-namespace" not found'


def test_a_resource_that_does_not_exist(rest: Rest) -> None:
    response = rest.request("GET", "/api/v1/namespaces/default/unheardof")
    assert response.code == 404, str(response)


def test_a_verb_that_a_resource_does_not_have(rest: Rest) -> None:
    status = rest.refusal(405, "POST", "/api/v1/namespaces/default/pods/some", pods.pod("some"))
    assert status["reason"] == "MethodNotAllowed"
    assert status["message"] == "the server does not allow this method on the requested resource"


def test_a_representation_that_cannot_be_had(rest: Rest) -> None:
    response = rest.send(
        "GET", "/api/v1/namespaces", data=None, headers={**rest.headers, "Accept": "text/csv"}
    )
    assert response.code == 406, str(response)
    assert response.object["reason"] == "NotAcceptable"
    assert "only the following media types are accepted" in response.object["message"]


def test_a_body_in_an_unknown_format(space: Space) -> None:
    status = space.rest.refusal(415, "POST", space.path("configmaps"), {}, content_type="text/csv")
    assert status["reason"] == "UnsupportedMediaType"


def test_a_patch_in_an_unknown_format(space: Space) -> None:
    space.config_map("a")
    path = space.path("configmaps", "a")
    status = space.rest.refusal(415, "PATCH", path, {}, content_type="application/json")
    assert status["reason"] == "UnsupportedMediaType"


def test_a_body_that_is_not_json(space: Space) -> None:
    status = space.rest.refusal(400, "POST", space.path("configmaps"), b"{not json")
    assert status["reason"] == "BadRequest"


def test_a_body_of_another_kind(space: Space) -> None:
    secret = pods.secret("a", {})
    status = space.rest.refusal(400, "POST", space.path("configmaps"), secret)
    assert status["reason"] == "BadRequest"


def test_a_body_of_another_namespace(space: Space) -> None:
    body = pods.config_map("a", {})
    body["metadata"]["namespace"] = "elsewhere"
    status = space.rest.refusal(400, "POST", space.path("configmaps"), body)
    expected = "the namespace of the provided object does not match the namespace sent on the request"
    assert status["message"] == expected


def test_a_body_with_another_name_than_the_path(space: Space) -> None:
    space.config_map("a")
    other = pods.config_map("b", {})
    status = space.rest.refusal(400, "PUT", space.path("configmaps", "a"), other)
    assert status["message"] == "the name of the object (b) does not match the name on the URL (a)"


def test_a_body_that_is_too_large(space: Space) -> None:
    data = json.dumps(pods.config_map("a", {"k": "x" * 4_000_000})).encode()
    status = space.rest.refusal(413, "POST", space.path("configmaps"), data)
    assert status["reason"] == "RequestEntityTooLarge"


def test_a_name_that_is_taken(space: Space) -> None:
    space.config_map("a")
    status = space.rest.refusal(409, "POST", space.path("configmaps"), pods.config_map("a", {}))
    assert (status["reason"], status["message"]) == ("AlreadyExists", 'configmaps "a" already exists')


def test_an_update_of_what_has_changed_meanwhile(space: Space) -> None:
    old = space.config_map("a", k="1")
    path = space.path("configmaps", "a")
    space.rest.patch(path, {"data": {"k": "2"}})
    status = space.rest.refusal(409, "PUT", path, old)
    assert status["reason"] == "Conflict"
    assert status["message"] == (
        'Operation cannot be fulfilled on configmaps "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


def test_a_patch_that_names_an_old_resource_version(space: Space) -> None:
    old = space.config_map("a", k="1")
    path = space.path("configmaps", "a")
    space.rest.patch(path, {"data": {"k": "2"}})
    body = {"metadata": {"resourceVersion": old["metadata"]["resourceVersion"]}, "data": {"k": "3"}}
    status = space.rest.refusal(409, "PATCH", path, body, content_type=MERGE)
    assert status["reason"] == "Conflict"


def test_a_watch_from_before_the_history(rest: Rest) -> None:
    """Upstream answers inside the stream, as an ERROR event, or at once with 410."""
    response = rest.request("GET", "/api/v1/namespaces", watch="true", resourceVersion=1, timeoutSeconds=1)
    if response.code == 200 and response.data.strip():
        first = json.loads(response.data.splitlines()[0])
        assert first["type"] in ("ADDED", "MODIFIED", "DELETED") or first["object"]["code"] == 410, first
    else:
        assert response.code in (200, 410), str(response)


def test_a_continue_token_that_is_none(rest: Rest) -> None:
    status = rest.refusal(400, "GET", "/api/v1/namespaces", **{"limit": 1, "continue": "nonsense"})
    assert status["reason"] == "BadRequest"


def test_a_resource_version_that_is_none(rest: Rest) -> None:
    assert rest.request("GET", "/api/v1/namespaces", resourceVersion="abc").code in (400, 422)


def test_an_invalid_name_is_unprocessable(space: Space) -> None:
    status = space.rest.refusal(422, "POST", space.path("configmaps"), pods.config_map("Upper_Case", {}))
    assert status["reason"] == "Invalid"
    assert status["details"]["causes"][0]["field"] == "metadata.name"
    assert status["message"].startswith(
        'ConfigMap "Upper_Case" is invalid: metadata.name: Invalid value: "Upper_Case": a lowercase RFC 1123'
    )


def test_a_pod_without_containers_is_invalid(space: Space) -> None:
    status = space.rest.refusal(422, "POST", space.path("pods"), pods.pod("empty"))
    assert status["message"] == 'Pod "empty" is invalid: spec.containers: Required value'
    assert status["details"]["causes"] == [
        {"reason": "FieldValueRequired", "message": "Required value", "field": "spec.containers"}
    ]


def test_an_image_of_a_pod_may_change_and_a_command_may_not(space: Space) -> None:
    spec = {"nodeSelector": {"no.such/label": "x"}}
    space.create(pods.pod("fixed", pods.container("a:1"), **spec))
    path = space.path("pods", "fixed")
    kind = "application/strategic-merge-patch+json"
    changed = space.rest.patch(path, _main(image="b:2"), content_type=kind)
    assert changed["spec"]["containers"][0]["image"] == "b:2"
    status = space.rest.refusal(422, "PATCH", path, _main(command=["other"]), content_type=kind)
    assert "pod updates may not change fields other than" in status["message"]


def _main(**fields: object) -> dict[str, object]:
    return {"spec": {"containers": [{"name": "main", **fields}]}}
