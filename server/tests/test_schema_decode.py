from typing import Any

import pytest

from server.schema.decode import decode
from server.schema.duplicates import duplicate_fields
from server.schema.errors import DecodeError
from server.schema.nodes import Struct
from server.schema.types import struct_of


def struct(kind: str, group: str = "", version: str = "v1") -> Struct:
    found = struct_of(group, version, kind)
    assert found is not None
    return found


def decoded(kind: str, obj: dict[str, Any], **where: str) -> dict[str, Any]:
    return decode(struct(kind, **where), obj).obj


@pytest.mark.parametrize(
    ("obj", "text"),
    [
        (
            {"spec": {"containers": "x"}},
            "string into Go struct field PodSpec.spec.containers of type []v1.Container",
        ),
        (
            {"spec": {"containers": [{"env": [{"value": 5}]}]}},
            "number into Go struct field EnvVar.spec.containers.env.value of type string",
        ),
        (
            {"metadata": {"labels": {"a": True}}},
            "bool into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            {"spec": {"terminationGracePeriodSeconds": 1.5}},
            "number 1.5 into Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64",
        ),
        (
            {"spec": {"priority": 2**31}},
            "number 2147483648 into Go struct field PodSpec.spec.priority of type int32",
        ),
        (
            {"spec": {"containers": [{"resources": {"limits": {"cpu": "1x"}}}]}},
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (
            {"metadata": {"creationTimestamp": "yesterday"}},
            'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
        ),
        (
            {"spec": []},
            "array into Go struct field Pod.spec of type v1.PodSpec",
        ),
    ],
)
def test_values_of_the_wrong_type_are_refused_in_the_words_of_go(obj: dict[str, Any], text: str) -> None:
    with pytest.raises(DecodeError) as caught:
        decoded("Pod", obj)
    assert str(caught.value).removeprefix("json: cannot unmarshal ") == text


def test_bytes_must_be_base64() -> None:
    with pytest.raises(DecodeError, match="illegal base64 data at input byte 1"):
        decoded("Secret", {"data": {"k": "a!!!"}})


def test_unknown_fields_are_left_out_and_named() -> None:
    found = decode(struct("Pod"), {"spec": {"containers": [{"name": "a"}, {"foo": 1}], "bar": 2}, "x": 3})
    assert found.obj == {"spec": {"containers": [{"name": "a"}, {}]}}
    assert list(found.unknown) == ["spec.containers[1].foo", "spec.bar", "x"]


def test_nulls_become_absent_or_zero() -> None:
    found = decoded("Pod", {"metadata": {"labels": {"a": None}, "name": None}, "spec": {"volumes": None}})
    assert found == {"metadata": {"labels": {"a": ""}}, "spec": {}}


def test_empty_optional_values_go_unless_go_has_a_pointer_for_them() -> None:
    pod = {"spec": {"nodeName": "", "hostNetwork": False, "tolerations": [], "shareProcessNamespace": False}}
    assert decoded("Pod", pod) == {"spec": {"shareProcessNamespace": False}}
    claim = {"spec": {"storageClassName": "", "volumeName": ""}}
    assert decoded("PersistentVolumeClaim", claim) == {"spec": {"storageClassName": ""}}
    deployment = {"spec": {"replicas": 0, "minReadySeconds": 0}, "status": {"replicas": 0}}
    assert decoded("Deployment", deployment, group="apps") == {"spec": {"replicas": 0}, "status": {}}


def test_quantities_and_times_become_canonical() -> None:
    pod = {
        "metadata": {"creationTimestamp": "2026-01-01T01:00:00.5+01:00"},
        "spec": {"containers": [{"resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}}}]},
    }
    found = decoded("Pod", pod)
    assert found["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z"
    assert found["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "500m", "memory": "1Gi"}
    lease = {"spec": {"renewTime": "2026-01-01T00:00:00Z"}}
    assert decoded("Lease", lease, group="coordination.k8s.io") == {
        "spec": {"renewTime": "2026-01-01T00:00:00.000000Z"}
    }


def test_json_without_a_type_is_kept_as_it_is() -> None:
    revision = {"data": {"a": [None, {"b": ""}]}, "revision": 1}
    assert decoded("ControllerRevision", revision, group="apps") == revision


def test_recursive_types_decode() -> None:
    schema = {"properties": {"a": {"properties": {"b": {"type": "string", "nope": 1}}}}}
    found = decode(
        struct("CustomResourceDefinition", group="apiextensions.k8s.io"),
        {"spec": {"versions": [{"schema": {"openAPIV3Schema": schema}}]}},
    )
    assert list(found.unknown) == ["spec.versions[0].schema.openAPIV3Schema.properties.a.properties.b.nope"]


def test_fields_given_twice_are_found() -> None:
    body = b'{"a": 1, "a": 2, "spec": {"x": [{"y": 1, "y": 2}], "z": 1}}'
    assert list(duplicate_fields(body).paths) == ["a", "spec.x[0].y"]
    assert not duplicate_fields(b'{"a": {"a": 1}}').paths
