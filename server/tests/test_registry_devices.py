"""Selectors of devices, and what devices say of how their capacity may be shared."""

from typing import Any

import pytest

from server.registry.groups.resource.capacity import capacity_causes
from server.registry.groups.resource.selectors import selector_causes

TEN = "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"


def selected(expression: str) -> list[str]:
    return [each.message for each in selector_causes("s", {"cel": {"expression": expression}})]


@pytest.mark.parametrize(
    "expression",
    [
        "device.driver == 'gpu.example.com'",
        "device.attributes['gpu.example.com'].model == 'a'",
        "device.attributes['gpu.example.com'].healthy",
        "cel.bind(gpu, device.attributes['gpu.example.com'], gpu.a && gpu.b)",
        "device.capacity['gpu.example.com'].memory.compareTo(quantity('1Gi')) >= 0",
        "device.attributes['gpu.example.com'].version.isGreaterThan(semver('1.0.0'))",
        "device.allowMultipleAllocations",
    ],
)
def test_selectors_speak_of_a_device(expression: str) -> None:
    assert selected(expression) == []


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("device.name == 'a'", "undefined field 'name'"),
        ("device.driver", "must evaluate to bool or the unknown type, not string"),
        ("'" + "x" * 10240 + "' == ''", "Too long: may not be more than 10240 bytes"),
        (
            "".join(f"{TEN}.all(x{n}, " for n in range(8)) + "true" + ")" * 8,
            "Forbidden: too complex, exceeds cost limit",
        ),
    ],
)
def test_selectors_that_are_none_or_too_costly(expression: str, message: str) -> None:
    found = selected(expression)
    assert len(found) == 1
    assert message in found[0]


def shared(policy: dict[str, Any]) -> dict[str, str]:
    found = capacity_causes("c", {"value": "10Gi", "requestPolicy": policy}, shared=True)
    return {each.field.removeprefix("c.requestPolicy"): each.message for each in found}


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"default": "1Gi"},
        {"default": "2Gi", "validValues": ["1Gi", "2Gi"]},
        {"default": "2Gi", "validRange": {"min": "1Gi", "max": "5Gi", "step": "1Gi"}},
    ],
)
def test_policies_of_capacity(policy: dict[str, Any]) -> None:
    assert shared(policy) == {}


@pytest.mark.parametrize(
    ("policy", "field", "message"),
    [
        ({"validValues": ["1Gi"]}, ".default", "Required value: required when validValues is defined"),
        ({"validRange": {"min": "1"}}, ".default", "Required value: required when validRange is defined"),
        ({"default": "1", "validValues": ["2", "1"]}, ".validValues[1]", "must be sorted in ascending order"),
        ({"default": "1", "validValues": ["2"]}, ".validValues", "default value is not valid according to"),
        ({"default": "1", "validValues": ["1", "1"]}, ".validValues[1]", "Duplicate value"),
        (
            {"default": "1", "validValues": ["1", "11Gi"]},
            ".validValues[1]",
            "larger than capacity value: 10Gi",
        ),
        ({"default": "1", "validRange": {"min": "2"}}, ".validRange.min", "default is less than min: 2"),
        (
            {"default": "9", "validRange": {"min": "2", "max": "8"}},
            ".validRange.max",
            "default is more than max: 8",
        ),
        (
            {"default": "3", "validRange": {"min": "2", "step": "2"}},
            ".validRange.step",
            "value is not a multiple of a given step (2) from (2)",
        ),
        (
            {"default": "2Gi", "validRange": {"min": "2Gi", "step": "9Gi"}},
            ".validRange.step",
            "one step 11Gi is larger than capacity value: 10Gi",
        ),
        ({"default": "1", "validValues": ["1"], "validRange": {"min": "1"}}, "", "exactly one policy can be"),
    ],
)
def test_policies_that_cannot_be_kept(policy: dict[str, Any], field: str, message: str) -> None:
    assert message in shared(policy)[field]


def test_only_devices_that_are_shared_have_policies() -> None:
    capacity = {"value": "1", "requestPolicy": {"default": "1"}}
    [found] = capacity_causes("c", capacity, shared=False)
    assert found.message == "Forbidden: allowMultipleAllocations must be true"
