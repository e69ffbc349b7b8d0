"""The protocol's corners over plain HTTPS: options that contradict, old watch paths, fields read strictly."""

import pytest

from conformance import pods
from conformance.rest import Rest
from conformance.space import Space

INVALID = 'ListOptions.meta.k8s.io "" is invalid: '


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            {"resourceVersionMatch": "Exact"},
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless"
            " resourceVersion is provided",
        ),
        (
            {"sendInitialEvents": "true"},
            "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list",
        ),
        (
            {"watch": "1", "sendInitialEvents": "true"},
            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to"
            " NotOlderThan",
        ),
    ],
)
def test_list_options_that_contradict(rest: Rest, query: dict[str, str], message: str) -> None:
    assert rest.refusal(422, "GET", "/api/v1/namespaces", **query)["message"] == INVALID + message


@pytest.mark.parametrize(
    ("selector", "message"),
    [
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("!a=b", "found '=', expected: ',' or 'end of string'"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
    ],
)
def test_label_selectors_that_do_not_parse(rest: Rest, selector: str, message: str) -> None:
    assert rest.refusal(400, "GET", "/api/v1/namespaces", labelSelector=selector)["message"] == message


def test_unknown_and_duplicate_fields_are_told_in_their_order(space: Space) -> None:
    body = (
        b'{"apiVersion":"v1","kind":"Service","metadata":{"name":"s"},"spec":{"unknown":1,"type":"ClusterIP",'
        b'"type":"NodePort","ports":[{"port":80,"odd":1}]}}'
    )
    status = space.rest.refusal(400, "POST", space.path("services"), body, fieldValidation="Strict")
    told = 'unknown field "spec.unknown", duplicate field "spec.type", unknown field "spec.ports[0].odd"'
    assert status["message"].endswith(f"strict decoding error: {told}")


def test_a_watch_path_of_the_old_form(space: Space) -> None:
    for name in ("a", "b"):
        space.rest.request("POST", space.path("configmaps"), pods.config_map(name, {}))
    path = space.path("configmaps").replace("/api/v1/", "/api/v1/watch/")
    answer = space.rest.request("GET", f"{path}/a", timeoutSeconds=1)
    assert answer.code == 200
    assert '"name":"a"' in answer.text
    assert '"name":"b"' not in answer.text
