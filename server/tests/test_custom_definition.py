"""What is wrong with a CustomResourceDefinition: fields and messages as upstream has them."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from kubeling.objects.errors import Cause
from server.registry.custom.approval import approval
from server.registry.custom.definition import APPROVAL, Definition, version_priority
from server.registry.custom.names import accept
from server.registry.custom.validation import creation_causes, update_causes
from server.registry.groups.apiextensions import Definitions

Change = Callable[[dict[str, Any]], Any]
OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def version(name: str = "v1", **more: Any) -> dict[str, Any]:
    return {"name": name, "served": True, "storage": True, "schema": {"openAPIV3Schema": OPEN}, **more}


def definition(change: Change = lambda spec: None) -> dict[str, Any]:
    names = {"plural": "tabs", "kind": "Tab"}
    spec: dict[str, Any] = {
        "group": "example.com",
        "scope": "Cluster",
        "names": names,
        "versions": [version()],
    }
    obj: dict[str, Any] = {"metadata": {"name": "tabs.example.com"}, "spec": copy.deepcopy(spec)}
    change(obj["spec"])
    Definitions().default(obj)
    stored = [each["name"] for each in obj["spec"]["versions"] if each.get("storage")]
    return obj | {"status": {"storedVersions": stored[:1]}}


def found(change: Change) -> list[str]:
    return [f"{cause.field}: {cause.message}" for cause in creation_causes(definition(change))]


def test_a_plain_definition_is_valid_and_has_its_defaults() -> None:
    obj = definition()
    assert creation_causes(obj) == []
    assert obj["spec"]["names"] == {"plural": "tabs", "kind": "Tab", "singular": "tab", "listKind": "TabList"}
    assert obj["spec"]["conversion"] == {"strategy": "None"}


def _webhook(**client: Any) -> Change:
    webhook = {"clientConfig": client, "conversionReviewVersions": ["v1"]}
    return lambda spec: spec.update(conversion={"strategy": "Webhook", "webhook": webhook})


WRONG: list[tuple[Change, str]] = [
    (
        lambda spec: spec.update(group="other.com"),
        'metadata.name: Invalid value: "tabs.example.com": must be spec.names.plural+"."+spec.group',
    ),
    (lambda spec: spec.update(group=""), "spec.group: Required value"),
    (
        lambda spec: spec.update(group="nodot"),
        'spec.group: Invalid value: "nodot": should be a domain with at least one dot',
    ),
    (
        lambda spec: spec.update(scope="World"),
        'spec.scope: Unsupported value: "World": supported values: "Cluster", "Namespaced"',
    ),
    (lambda spec: spec.update(scope=""), "spec.scope: Required value"),
    (
        lambda spec: spec["versions"][0].pop("schema"),
        "spec.versions[0].schema.openAPIV3Schema: Required value: schemas are required",
    ),
    (
        lambda spec: spec["names"].update(listKind="Tab"),
        'spec.names.listKind: Invalid value: "Tab": kind and listKind may not be the same',
    ),
    (
        lambda spec: spec["versions"][0].update(deprecationWarning="x"),
        'spec.versions[0].deprecationWarning: Invalid value: "x": can only be set for deprecated versions',
    ),
    (
        lambda spec: spec.update(preserveUnknownFields=True),
        "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set"
        " x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
    ),
    (
        lambda spec: spec.update(conversion={"strategy": "Other"}),
        'spec.conversion.strategy: Unsupported value: "Other": supported values: "None", "Webhook"',
    ),
    (
        lambda spec: spec.update(conversion={"strategy": "Webhook"}),
        "spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook",
    ),
    (
        _webhook(),
        "spec.conversion.webhookClientConfig: Required value: exactly one of url or service is required",
    ),
    (
        _webhook(url="http://h/"),
        "spec.conversion.webhookClientConfig.url: Invalid value: \"http\": 'https' is the only allowed URL"
        " scheme; desired format: https://host[/path]",
    ),
    (
        _webhook(service={"name": "n", "namespace": "x", "path": "//"}),
        'spec.conversion.webhookClientConfig.service.path: Invalid value: "//": segment[0] may not be empty',
    ),
    (
        lambda spec: spec["versions"][0].update(
            additionalPrinterColumns=[{"name": "A", "type": "text", "jsonPath": ".a"}]
        ),
        'spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of'
        " boolean,date,integer,number,string",
    ),
    (
        lambda spec: spec["versions"][0].update(
            additionalPrinterColumns=[{"name": "A", "type": "string", "jsonPath": "a"}]
        ),
        'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "a": must be a simple json path'
        " starting with .",
    ),
    (
        lambda spec: spec["versions"][0].update(
            subresources={"scale": {"specReplicasPath": ".x", "statusReplicasPath": ".status.r"}}
        ),
        'spec.subresources.scale.specReplicasPath: Invalid value: ".x": should be a json path under .spec',
    ),
]


@pytest.mark.parametrize(("change", "text"), WRONG, ids=[text.partition(":")[0] for _, text in WRONG])
def test_what_is_wrong_is_told_with_its_field(change: Change, text: str) -> None:
    assert text in found(change)


def test_exactly_one_version_is_for_storage() -> None:
    causes = found(lambda spec: spec["versions"][0].update(storage=False))
    assert any("must have exactly one version marked as storage version" in each for each in causes)
    assert "status.storedVersions: Invalid value: null: must have at least one stored version" in causes


def test_what_versions_do_not_share_is_named_by_version() -> None:
    columns = [{"name": "A", "type": "text", "jsonPath": ".a"}]

    def change(spec: dict[str, Any]) -> None:
        spec["versions"].append(version("v2", storage=False, additionalPrinterColumns=columns))

    (cause,) = creation_causes(definition(change))
    assert cause.field == "spec.versions[1].additionalPrinterColumns[0].type"


def _selectable(path: str, kind: str = "string") -> Change:
    spec = {"type": "object", "properties": {"color": {"type": kind}}}
    schema = {"type": "object", "properties": {"spec": spec}}

    def change(found: dict[str, Any]) -> None:
        fields = [{"jsonPath": path}]
        found["versions"][0].update(schema={"openAPIV3Schema": schema}, selectableFields=fields)

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_selectable(".spec.size"), "is an invalid path: does not refer to a valid field"),
        (_selectable(".metadata.name"), "is an invalid path: does not refer to a valid field"),
        (_selectable(".spec['color']"), "is an invalid path: array notation is not allowed"),
        (_selectable("spec.color"), "is an invalid path: expected [ or . but got: spec"),
        (_selectable(".spec."), "is an invalid path: unexpected end of JSON path"),
        (_selectable(".spec.color", "number"), "must point to a field of type string, boolean or integer."),
    ],
)
def test_selectable_fields_are_in_the_schema(change: Change, why: str) -> None:
    (text,) = found(change)
    assert text.startswith("spec.selectableFields[0].jsonPath: Invalid value:")
    assert why in text


def _established(obj: dict[str, Any]) -> dict[str, Any]:
    obj["status"]["conditions"] = [{"type": "Established", "status": "True"}]
    return obj


def test_an_established_kind_and_scope_do_not_change() -> None:
    old, new = _established(definition()), _established(definition())
    new["spec"]["scope"] = "Namespaced"
    new["spec"]["names"]["kind"] = "Other"
    fields = [cause.field for cause in update_causes(new, old)]
    assert fields == ["spec.scope", "spec.names.kind"]
    assert update_causes(new, definition()) == []


def test_a_version_that_was_stored_must_stay() -> None:
    new = definition(lambda spec: spec["versions"][0].update(name="v2"))
    new["status"]["storedVersions"] = ["v1", "v2"]
    (cause,) = update_causes(new, definition())
    assert cause.field == "status.storedVersions[0]"
    assert "missing from spec.versions; v1 was previously a storage version" in cause.message


@pytest.mark.parametrize(
    ("annotation", "reason", "valid"),
    [
        ("", "MissingAnnotation", False),
        ("nonsense", "InvalidAnnotation", False),
        ("unapproved, only a test", "UnapprovedAnnotation", True),
        ("https://github.com/kubernetes/enhancements/pull/1111", "ApprovedAnnotation", True),
    ],
)
def test_groups_of_the_community_need_an_approval(annotation: str, reason: str, valid: bool) -> None:
    obj = definition(lambda spec: spec.update(group="x.k8s.io"))
    obj["metadata"] = {"name": "tabs.x.k8s.io", "annotations": {APPROVAL: annotation}}
    assert approval(obj).reason == reason
    causes: list[Cause] = creation_causes(obj)
    assert bool(causes) != valid
    assert all(cause.field == f"metadata.annotations[{APPROVAL}]" for cause in causes)


def test_versions_are_ordered_as_kubernetes_orders_them() -> None:
    names = ["foo10", "v1alpha1", "v10", "v2", "v3beta1", "v11beta2", "v12alpha1", "v11alpha2", "foo1", "v1"]
    wanted = ["v10", "v2", "v1", "v11beta2", "v3beta1", "v12alpha1", "v11alpha2", "v1alpha1", "foo1", "foo10"]
    assert sorted(names, key=version_priority) == wanted


def _named(plural: str, kind: str, *, accepted: bool) -> Definition:
    names = {"plural": plural, "kind": kind, "singular": kind.lower(), "listKind": f"{kind}List"}
    spec = {"group": "example.com", "names": names}
    status = {"acceptedNames": names} if accepted else {}
    return Definition({"metadata": {"name": f"{plural}.example.com"}, "spec": spec, "status": status})


def test_a_kind_that_is_taken_is_refused_and_the_rest_accepted() -> None:
    outcome = accept(_named("others", "Tab", accepted=False), [_named("tabs", "Tab", accepted=True)])
    assert (outcome.accepted, outcome.reason) == (False, "ListKindConflict")
    assert outcome.message == '"TabList" is already in use'
    assert (outcome.names["plural"], outcome.names["kind"]) == ("others", "")


def test_one_keeps_the_names_that_one_has() -> None:
    own = _named("tabs", "Tab", accepted=True)
    assert accept(own, []).reason == "NoConflicts"
