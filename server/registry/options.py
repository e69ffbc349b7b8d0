"""The options of the verbs, decoded: query parameters of list and watch, the body of delete, a patch."""

import math
from dataclasses import dataclass
from typing import Any

from kubeling.objects import fields as field_selectors
from kubeling.objects import labels as label_selectors
from kubeling.objects.errors import BadRequest

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects of a resource are meant."""

    labels: label_selectors.Selector = label_selectors.EVERYTHING
    fields: field_selectors.FieldSelector = field_selectors.EVERYTHING

    @property
    def everything(self) -> bool:
        return self.labels.empty and self.fields.empty

    @classmethod
    def parse(cls, label_selector: str = "", field_selector: str = "") -> "Selection":
        """From query parameters.

        Raises:
            BadRequest: with upstream's text, when a selector cannot be parsed.
        """
        try:
            by_labels = label_selectors.parse_selector(label_selector)
            return cls(by_labels, field_selectors.parse_field_selector(field_selector))
        except (label_selectors.SelectorError, field_selectors.FieldSelectorError) as error:
            raise BadRequest(str(error)) from error


EVERYTHING = Selection()


@dataclass(frozen=True, slots=True)
class ListOptions:
    selection: Selection = EVERYTHING
    limit: int = 0
    """0 is no limit."""
    continue_token: str = ""
    resource_version: str = ""
    resource_version_match: str = ""
    send_initial_events: bool | None = None
    """Which no list may ask for."""


@dataclass(frozen=True, slots=True)
class WatchOptions:
    selection: Selection = EVERYTHING
    resource_version: str = ""
    """"" and "0" begin with ADDED events of what exists; a number resumes after that revision."""
    resource_version_match: str = ""
    bookmarks: bool = False
    send_initial_events: bool | None = None
    continue_token: str = ""
    """Which means nothing for a watch, but may contradict other options."""
    bookmark_seconds: float = 60.0
    lasts_seconds: float = math.inf
    """When the caller is going to close the watch: two seconds before, there is a last bookmark."""


@dataclass(frozen=True, slots=True)
class DeleteOptions:
    grace_period_seconds: int | None = None
    uid: str = ""
    """Precondition; "" is none."""
    resource_version: str = ""
    """Precondition; "" is none."""
    propagation_policy: str = ""
    """Orphan, Background, Foreground or "" for the kind's default."""
    orphan_dependents: bool | None = None


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch's parsed body with its media type (one of the four constants above)."""

    content_type: str
    body: Any
    force: bool = False
    """Of an applied configuration: take what others own."""
