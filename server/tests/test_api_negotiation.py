from typing import Any

import pytest

from kubeling.objects.errors import NotAcceptable, UnsupportedMediaType
from server.api.negotiation import (
    JSON,
    YAML,
    Representation,
    body_media,
    error_media,
    parse_accept,
    plain_media,
    resource_representation,
)

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


@pytest.mark.parametrize(
    "accept", ["", "*/*", "application/*", JSON, "application/vnd.kubernetes.protobuf,application/json"]
)
def test_json_is_the_plain_answer(accept: Any) -> None:
    assert resource_representation(accept) == Representation(JSON)


def test_kubectl_gets_a_table() -> None:
    accept = f"{TABLE},application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"
    assert resource_representation(accept) == Representation(JSON, "Table", "v1")


def test_a_transformation_that_does_not_exist_falls_through_to_the_next_clause() -> None:
    accept = "application/json;as=Chair;v=v1;g=meta.k8s.io,application/json"
    assert resource_representation(accept) == Representation(JSON)


def test_metadata_informers_get_partial_objects() -> None:
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    assert resource_representation(accept) == Representation(JSON, "PartialObjectMetadataList", "v1")


def test_quality_decides_before_order() -> None:
    assert resource_representation("application/json;q=0.5, application/yaml") == Representation(YAML)
    assert [clause.subtype for clause in parse_accept("a/b;q=0, c/d;q=0.1, e/f")] == ["f", "d"]


@pytest.mark.parametrize(
    "accept", ["text/html", "application/vnd.kubernetes.protobuf", "application/json;q=0"]
)
def test_what_cannot_be_made_is_not_acceptable(accept: Any) -> None:
    with pytest.raises(NotAcceptable, match="only the following media types are accepted"):
        resource_representation(accept)


def test_errors_are_json_whatever_was_asked_for() -> None:
    assert error_media("text/html") == JSON
    assert error_media("application/yaml") == YAML
    assert plain_media(f"{TABLE},application/json") == JSON


@pytest.mark.parametrize(
    ("content_type", "media"), [("", JSON), ("application/json; charset=utf-8", JSON), ("text/yaml", YAML)]
)
def test_bodies_are_json_or_yaml(content_type: Any, media: Any) -> None:
    assert body_media(content_type) == media


def test_a_body_in_any_other_form_is_unsupported() -> None:
    with pytest.raises(UnsupportedMediaType):
        body_media("application/cbor")
