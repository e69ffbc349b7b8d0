"""Printer columns: what one looks like, and the two that every kind has. Rows are made in `table`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.registry.ages import age

_NAME = (
    "Name must be unique within a namespace. Is required when creating resources, although some resources may"
    " allow a client to request the generation of an appropriate name automatically. Name is primarily"
    " intended for creation idempotence and configuration definition. Cannot be updated. More info:"
    " https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names"
)
_CREATED = (
    "CreationTimestamp is a timestamp representing the server time when this object was created. It is not"
    " guaranteed to be set in happens-before order across separate operations. Clients may not set this"
    " value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for"
    " lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata"
)


@dataclass(frozen=True, slots=True)
class Column:
    """A TableColumnDefinition; priority 0 shows always, 1 with `-o wide`."""

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0

    def definition(self) -> Object:
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


NAME = Column("Name", format="name", description=_NAME)
AGE = Column("Age", description=_CREATED)
NAME_AND_AGE: Sequence[Column] = (NAME, AGE)
NAME_AND_CREATED: Sequence[Column] = (NAME, Column("Created At", "date", description=_CREATED))
"""What kinds without a printer of their own show."""


def wide(name: str, type: str = "string") -> Column:
    """A column that only `-o wide` shows."""
    return Column(name, type, priority=1)


def columns(*middle: Column | str) -> Sequence[Column]:
    """Name, then the given ones, as text where a plain string column is meant."""
    return (NAME, *(Column(each) if isinstance(each, str) else each for each in middle))


def name_and_age(obj: Object, now: datetime) -> list[Any]:
    return [meta.name(obj), object_age(obj, now)]


def name_and_created(obj: Object) -> list[Any]:
    return [meta.name(obj), meta.metadata(obj).get("creationTimestamp")]


def object_age(obj: Object, now: datetime) -> str:
    created = meta.metadata(obj).get("creationTimestamp")
    return age(created, now)
