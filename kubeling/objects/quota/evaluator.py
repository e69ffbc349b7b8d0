"""An evaluator knows one resource's share of quotas. This one counts objects, which is all for most kinds."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from kubeling.objects.errors import GroupResource
from kubeling.objects.labels import SelectorError, from_expression
from kubeling.objects.meta import Object
from kubeling.objects.resource_list import ResourceList

LONG_COUNTED = frozenset(("configmaps", "resourcequotas", "replicationcontrollers", "secrets"))
"""Core kinds that a quota may also name without `count/`."""
PREFIX = "count/"


class Evaluator:
    """Counts the objects of a resource."""

    def __init__(self, resource: GroupResource) -> None:
        self.resource = resource
        self.counted = f"{PREFIX}{resource}"
        self.names = frozenset((self.counted,))
        if not resource.group and resource.resource in LONG_COUNTED:
            self.names |= {resource.resource}

    def charges(self, operation: str, subresource: str) -> bool:
        """Whether such a write can take of a quota."""
        return operation == "CREATE" and not subresource

    def charges_update(self, new: Object, old: Object) -> bool:
        """Whether this update of the object itself can; asked where `charges` says so of updates."""
        return True

    def matching(self, names: Iterable[str]) -> list[str]:
        """Those of a quota's resources that objects of this kind take from."""
        return [name for name in names if name in self.names]

    def constraint(self, names: Sequence[str], obj: Object) -> str:
        """What the object lacks to be counted under these names; "" when nothing."""
        return ""

    def usage(self, obj: Object, now: datetime) -> ResourceList:
        return dict.fromkeys(self.names, "1")

    def in_scope(self, requirement: Object, obj: Object) -> bool:
        """Whether one requirement of a quota's scope holds. Scopes are about pods, and some about claims."""
        return False

    def released(self, new: Object, old: Object) -> bool:
        """Whether a change of the object may have given something back."""
        return False


def requirements(quota: Object) -> list[Object]:
    """The quota's scopes and its scope selector: all must hold."""
    spec = quota.get("spec") or {}
    plain = [{"scopeName": scope, "operator": "Exists"} for scope in spec.get("scopes") or ()]
    return plain + list((spec.get("scopeSelector") or {}).get("matchExpressions") or ())


def matches(evaluator: Evaluator, quota: Object, hard: Iterable[str], obj: Object) -> bool:
    """Whether the object takes from the quota, which limits the resources `hard`."""
    return bool(evaluator.matching(hard)) and all(
        evaluator.in_scope(requirement, obj) for requirement in requirements(quota)
    )


def selects(requirement: Object, value: str) -> bool:
    """Whether In, NotIn, Exists or DoesNotExist holds for a value, "" being none."""
    key = str(requirement.get("scopeName"))
    expression = {"key": key, "operator": requirement.get("operator"), "values": requirement.get("values")}
    try:
        return from_expression(expression).matches({key: value} if value else {})
    except SelectorError:
        return False
