"""A CustomResourceDefinition, read: its names, its versions, its conditions. Nothing is checked here."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kubeling.objects import conditions, meta
from kubeling.objects.errors import GroupResource
from kubeling.objects.meta import Object

GROUP = "apiextensions.k8s.io"
RESOURCE = GroupResource(GROUP, "customresourcedefinitions")
FINALIZER = "customresourcecleanup.apiextensions.k8s.io"
APPROVAL = "api-approved.kubernetes.io"
_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")
_STAGES = {"": 2, "beta": 1, "alpha": 0}


@dataclass(frozen=True, slots=True)
class Names:
    plural: str
    kind: str
    singular: str
    list_kind: str
    short_names: tuple[str, ...]
    categories: tuple[str, ...]

    @classmethod
    def of(cls, names: Object) -> "Names":
        return cls(
            names.get("plural") or "",
            names.get("kind") or "",
            names.get("singular") or "",
            names.get("listKind") or "",
            tuple(names.get("shortNames") or ()),
            tuple(names.get("categories") or ()),
        )


@dataclass(frozen=True, slots=True)
class Version:
    """One entry of spec.versions."""

    content: Object

    @property
    def name(self) -> str:
        return str(self.content.get("name", ""))

    @property
    def schema(self) -> Object | None:
        found: Object | None = (self.content.get("schema") or {}).get("openAPIV3Schema")
        return found

    @property
    def columns(self) -> Sequence[Object]:
        return self.content.get("additionalPrinterColumns") or ()

    @property
    def selectable(self) -> Sequence[str]:
        """The fields for field selectors, such as `spec.color`."""
        found = self.content.get("selectableFields") or ()
        return [str(each.get("jsonPath", "")).removeprefix(".") for each in found]

    @property
    def status(self) -> bool:
        return (self.content.get("subresources") or {}).get("status") is not None

    @property
    def scale(self) -> Object | None:
        found: Object | None = (self.content.get("subresources") or {}).get("scale")
        return found


@dataclass(frozen=True, slots=True)
class Definition:
    """The object itself is shared, and not to be changed."""

    obj: Object

    @property
    def spec(self) -> Object:
        found: Object = self.obj["spec"]
        return found

    @property
    def name(self) -> str:
        return meta.name(self.obj)

    @property
    def group(self) -> str:
        return str(self.spec.get("group", ""))

    @property
    def names(self) -> Names:
        """The names that are asked for."""
        return Names.of(self.spec.get("names") or {})

    @property
    def accepted(self) -> Names:
        """The names that it has got: those that nobody else of the group has."""
        return Names.of((self.obj.get("status") or {}).get("acceptedNames") or {})

    @property
    def resource(self) -> GroupResource:
        return GroupResource(self.group, self.names.plural)

    @property
    def namespaced(self) -> bool:
        return bool(self.spec.get("scope") == "Namespaced")

    @property
    def preserves_unknown_fields(self) -> bool:
        return bool(self.spec.get("preserveUnknownFields"))

    @property
    def versions(self) -> list[Version]:
        return [Version(each) for each in self.spec.get("versions") or ()]

    @property
    def served(self) -> list[Version]:
        """The versions that are served, the preferred one first."""
        found = [version for version in self.versions if version.content.get("served")]
        return sorted(found, key=lambda version: version_priority(version.name))

    @property
    def storage_version(self) -> str:
        return next((each.name for each in self.versions if each.content.get("storage")), "")

    @property
    def conversion_webhook(self) -> Object | None:
        conversion = self.spec.get("conversion") or {}
        found: Object | None = conversion.get("webhook") if conversion.get("strategy") == "Webhook" else None
        return found

    @property
    def terminating(self) -> bool:
        return meta.is_terminating(self.obj)

    def holds(self, condition: str) -> bool:
        """Whether a condition is True."""
        return is_true(self.obj, condition)


def is_true(obj: Object, condition: str) -> bool:
    found = conditions.find(obj, condition)
    return found is not None and found.get("status") == "True"


def version_priority(name: str) -> tuple[Any, ...]:
    """A sort key: v10, v2, v1, v11beta2, v3beta1, v12alpha1, then what is no such version by its letters."""
    match = _VERSION.fullmatch(name)
    if match is None:
        return (1, name)
    major, stage, minor = match[1], match[2] or "", match[3] or "0"
    return (0, -_STAGES[stage], -int(major), -int(minor))
