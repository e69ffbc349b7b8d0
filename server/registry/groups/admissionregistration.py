"""The kinds of admissionregistration.k8s.io. They are stored; webhooks and policies are not called yet."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.groups.plain import Generational
from server.registry.groups.subresources import status
from server.registry.kind import Kind
from server.registry.strategy import Strategy

_GROUP, _EXTENSIONS = "admissionregistration.k8s.io", ("api-extensions",)


class Webhooks(Strategy):
    has_generation = True
    unconditional_update = False
    columns = columns(Column("Webhooks", "integer"), AGE)

    def default(self, obj: Object) -> None:
        for hook in obj.get("webhooks") or ():
            hook.setdefault("failurePolicy", "Fail")
            hook.setdefault("matchPolicy", "Equivalent")
            hook.setdefault("namespaceSelector", {})
            hook.setdefault("objectSelector", {})
            hook.setdefault("timeoutSeconds", 10)
            if (service := (hook.get("clientConfig") or {}).get("service")) is not None:
                service.setdefault("port", 443)
            for rule in hook.get("rules") or ():
                rule.setdefault("scope", "*")

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [meta.name(obj), len(obj.get("webhooks") or []), object_age(obj, now)]


class MutatingWebhooks(Webhooks):
    def default(self, obj: Object) -> None:
        super().default(obj)
        for hook in obj.get("webhooks") or ():
            hook.setdefault("reinvocationPolicy", "Never")


def _kind(kind: str, plural: str, strategy: Strategy, *, has_status: bool = False) -> Kind:
    return Kind(
        _GROUP,
        kind,
        plural,
        strategy,
        namespaced=False,
        categories=_EXTENSIONS,
        subresources=status(kind) if has_status else {},
    )


KINDS = (
    _kind("MutatingAdmissionPolicy", "mutatingadmissionpolicies", Generational()),
    _kind("MutatingAdmissionPolicyBinding", "mutatingadmissionpolicybindings", Generational()),
    _kind("MutatingWebhookConfiguration", "mutatingwebhookconfigurations", MutatingWebhooks()),
    _kind("ValidatingAdmissionPolicy", "validatingadmissionpolicies", Generational(), has_status=True),
    _kind("ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", Generational()),
    _kind("ValidatingWebhookConfiguration", "validatingwebhookconfigurations", Webhooks()),
)
