"""JSON paths and printer columns, as kubectl and the API server read and show them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from server.registry.custom.columns import CustomColumns, go_text
from server.registry.custom.jsonpath import JSONPathError, find, parse

OBJECT: dict[str, Any] = {
    "metadata": {"name": "a", "labels": {"example.com/team": "blue"}},
    "spec": {"size": 3, "ports": [80, 443, 8080], "on": True},
    "status": {
        "conditions": [
            {"type": "Ready", "status": "True", "count": 2},
            {"type": "Synced", "status": "False", "count": 5},
        ]
    },
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (".spec.size", [3]),
        ("$.spec.size", [3]),
        (".spec.missing", []),
        (".spec.ports[0]", [80]),
        (".spec.ports[-1]", [8080]),
        (".spec.ports[9]", []),
        (".spec.ports[0:2]", [80, 443]),
        (".spec.ports[::2]", [80, 8080]),
        (".spec.ports[0,2]", [80, 8080]),
        (".spec.ports[*]", [80, 443, 8080]),
        (".metadata.labels.example\\.com/team", ["blue"]),
        (".metadata.labels['example.com/team']", ["blue"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type == 'Synced')].status", ["False"]),
        (".status.conditions[?(@.count>2)].type", ["Synced"]),
        (".status.conditions[?(@.count)].type", ["Ready", "Synced"]),
        (".status.conditions[?(@.absent)].type", []),
        ("..count", [2, 5]),
        (".status.*[0].type", ["Ready"]),
    ],
)
def test_a_path_finds(path: str, found: list[Any]) -> None:
    assert list(find(parse(path), OBJECT)) == found


@pytest.mark.parametrize("path", [".spec[", ".spec[abc]", "spec", ".a[?(@.b==x)]", ".a b", ".spec[::0]"])
def test_a_path_that_cannot_be_read_is_refused(path: str) -> None:
    with pytest.raises(JSONPathError):
        parse(path)


@pytest.mark.parametrize(
    ("kind", "path", "cell"),
    [
        ("string", ".spec.size", "3"),
        ("string", ".spec.on", "true"),
        ("string", ".spec.ports", "[80,443,8080]"),
        ("integer", ".spec.size", 3),
        ("integer", ".metadata.name", None),
        ("number", ".spec.size", 3),
        ("boolean", ".spec.on", True),
        ("boolean", ".spec.size", None),
        ("date", ".metadata.name", "<invalid>"),
        ("date", ".spec.missing", None),
        ("string", ".spec.missing", None),
    ],
)
def test_a_cell_has_its_columns_type(kind: str, path: str, cell: Any) -> None:
    columns = CustomColumns([{"name": "X", "type": kind, "jsonPath": path}])
    assert columns.cells(OBJECT, datetime.now(UTC)) == ["a", cell]


def test_a_date_is_shown_as_an_age() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    made = (now - timedelta(hours=5)).isoformat().replace("+00:00", "Z")
    found = {"metadata": {"name": "a", "creationTimestamp": made}}
    assert CustomColumns([]).cells(found, now) == ["a", "5h"]


def test_a_column_describes_itself() -> None:
    columns = CustomColumns([{"name": "X", "type": "string", "jsonPath": ".spec.x", "priority": 1}]).columns
    text = "Custom resource definition column (in JSONPath format): .spec.x"
    assert (columns[1].description, columns[1].priority) == (text, 1)


@pytest.mark.parametrize(("value", "text"), [(1.5, "1.5"), (2.0, "2"), ({"b": 1, "a": 2}, '{"a":2,"b":1}')])
def test_values_are_written_as_go_does(value: Any, text: str) -> None:
    assert go_text(value) == text
