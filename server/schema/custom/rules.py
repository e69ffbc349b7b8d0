"""The rules of a schema (x-kubernetes-validations), compiled and checked."""

from typing import Any, Protocol

from kubeling.objects.errors import Cause


class RuleSet(Protocol):
    def causes(self, obj: Any, old: Any) -> list[Cause]: ...
