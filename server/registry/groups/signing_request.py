"""CertificateSigningRequests: made by who wants a certificate, decided by one, answered by another."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from kubeling.objects import conditions, meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.ages import human_duration
from server.registry.columns import AGE, columns, object_age
from server.registry.groups.signing_request_validation import (
    DECISIONS,
    conditions_of,
    creation_causes,
    request_causes,
    transition_causes,
)
from server.registry.kind import Kind
from server.registry.strategy import Scope, Strategy

APPROVAL = "approval"


class SigningRequests(Strategy):
    selectable = ("spec.signerName",)
    columns = columns(AGE, "SignerName", "Requestor", "RequestedDuration", "Condition")

    def name_errors(self, name: str) -> list[str]:
        return []

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        """Who asks is the server's to say."""
        user, spec = scope.context.user, obj.setdefault("spec", {})
        for name in ("username", "uid", "groups", "extra"):
            spec.pop(name, None)
        spec |= {"username": user.name, "groups": list(user.groups)}
        if user.uid:
            spec["uid"] = user.uid
        if user.extra:
            spec["extra"] = {key: list(values) for key, values in user.extra.items()}
        obj["status"] = {}

    def narrowed(self, scope: Scope, subresource: str, obj: Object, old: Object) -> Object:
        """/approval decides, /status brings the certificate; nothing changes the request itself."""
        new, before = obj.get("status") or {}, old.get("status") or {}
        if not subresource:
            return {**obj, "spec": old.get("spec") or {}, "status": before}
        if subresource == APPROVAL:
            new = _with_conditions(before, list(new.get("conditions") or ()))
        else:
            new = _with_conditions(new, _with_decisions_of(before, new))
        return {**old, "metadata": obj.get("metadata") or {}, "status": new}

    def reset_fields(self, kind: Kind, subresource: str) -> Sequence[str]:
        if not subresource:
            return ("spec", "status")
        return ("spec", "status.certificate" if subresource == APPROVAL else "status.conditions")

    def prepare_for_subresource_update(
        self, scope: Scope, subresource: str, obj: Object, old: Object
    ) -> None:
        """Date the conditions that bring no date."""
        found = conditions_of(obj)
        if found:
            now = meta.timestamp(scope.now)
            dated = [_dated(each, conditions_of(old), now) for each in found]
            obj["status"] = {**obj["status"], "conditions": dated}

    def validate(self, obj: Object) -> list[Cause]:
        return []

    def validate_create(self, obj: Object) -> list[Cause]:
        return creation_causes(obj)

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return [*request_causes(obj, old), *transition_causes(obj, old, "")]

    def validate_subresource_update(self, subresource: str, obj: Object, old: Object) -> list[Cause]:
        return [*request_causes(obj, old), *transition_causes(obj, old, subresource)]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        seconds = spec.get("expirationSeconds")
        return [
            meta.name(obj),
            object_age(obj, now),
            spec.get("signerName") or "<none>",
            spec.get("username", ""),
            human_duration(seconds) if seconds is not None else "<none>",
            _condition(obj),
        ]


def _with_conditions(state: Object, found: list[Object]) -> Object:
    rest = {key: value for key, value in state.items() if key != "conditions"}
    return {"conditions": found, **rest} if found else rest


def _with_decisions_of(before: Object, new: Object) -> list[Object]:
    """The new conditions; as many decisions as there were are taken to be the old ones."""
    found = list(new.get("conditions") or ())
    for decision in DECISIONS:
        old = [each for each in before.get("conditions") or () if each.get("type") == decision]
        places = [place for place, each in enumerate(found) if each.get("type") == decision]
        if len(old) == len(places):
            for place, each in zip(places, old, strict=True):
                found[place] = each
    return found


def _dated(condition: Object, before: list[Object], now: str) -> Object:
    same = ("type", "status")
    since = next(
        (
            each["lastTransitionTime"]
            for each in before
            if all(each.get(key) == condition.get(key) for key in same) and each.get("lastTransitionTime")
        ),
        now,
    )
    dated = {**condition, "lastUpdateTime": condition.get("lastUpdateTime") or now}
    dated["lastTransitionTime"] = condition.get("lastTransitionTime") or since
    return dated


def _condition(obj: Object) -> str:
    found = [name for name in ("Approved", "Denied", "Failed") if conditions.find(obj, name)]
    if (obj.get("status") or {}).get("certificate"):
        found.append("Issued")
    return ",".join(found) or "Pending"
