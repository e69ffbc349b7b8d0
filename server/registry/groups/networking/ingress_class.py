"""IngressClasses."""

import re
from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors, path_segment_errors, subdomain_errors
from server.registry.causes import (
    forbidden,
    immutable,
    invalid,
    invalids,
    not_supported,
    required,
    too_long,
)
from server.registry.columns import AGE, columns, object_age
from server.registry.strategy import Strategy

_LONGEST_CONTROLLER = 250
_PATH = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+")
_SCOPES = ("Cluster", "Namespace")


class IngressClasses(Strategy):
    has_generation = True
    columns = columns("Controller", "Parameters", AGE)

    def default(self, obj: Object) -> None:
        parameters = (obj.get("spec") or {}).get("parameters")
        if parameters is not None:
            parameters.setdefault("scope", "Cluster")

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes = _controller_causes("spec.controller", spec.get("controller", ""))
        if (parameters := spec.get("parameters")) is not None:
            causes += _parameters_causes("spec.parameters", parameters)
        return causes

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        new, before = (each.get("spec") or {} for each in (obj, old))
        if new.get("controller", "") == before.get("controller", ""):
            return []
        return [immutable("spec.controller", new.get("controller", ""))]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec = obj.get("spec") or {}
        parameters = spec.get("parameters")
        return [
            meta.name(obj),
            spec.get("controller", ""),
            _reference(parameters) if parameters else "<none>",
            object_age(obj, now),
        ]


def _reference(parameters: Object) -> str:
    group = parameters.get("apiGroup")
    return f"{parameters.get('kind')}{'.' if group else ''}{group or ''}/{parameters.get('name')}"


def _controller_causes(field: str, controller: str) -> list[Cause]:
    if not controller:
        return [required(field)]
    causes = [too_long(field, _LONGEST_CONTROLLER)] if len(controller) > _LONGEST_CONTROLLER else []
    domain, slash, path = controller.partition("/")
    if not slash or not domain or not path:
        why = 'must be a domain-prefixed path (such as "acme.io/foo")'
        return [*causes, invalid(field, controller, why)]
    causes += invalids(field, domain, subdomain_errors(domain))
    return causes + _path_causes(field, path)


def _path_causes(field: str, path: str) -> list[Cause]:
    if _PATH.fullmatch(path):
        return []
    return [invalid(field, path, f"Invalid path (regex used for validation is '{_PATH.pattern}')")]


def _parameters_causes(field: str, parameters: Object) -> list[Cause]:
    causes = reference_causes(field, parameters)
    scope, namespace = parameters.get("scope"), parameters.get("namespace")
    if scope not in _SCOPES:
        return [*causes, not_supported(f"{field}.scope", scope, _SCOPES)]
    where = f"{field}.namespace"
    if scope == "Namespace" and namespace is None:
        causes.append(required(where, "`parameters.scope` is set to 'Namespace'"))
    elif scope == "Namespace" and namespace is not None:
        causes += invalids(where, namespace, label_errors(namespace))
    elif namespace is not None:
        causes.append(forbidden(where, "`parameters.scope` is set to 'Cluster'"))
    return causes


def reference_causes(field: str, reference: Object) -> list[Cause]:
    """A reference by API group, kind and name."""
    group, causes = reference.get("apiGroup"), []
    if group is not None:
        causes += invalids(f"{field}.apiGroup", group, subdomain_errors(group))
    for name in ("kind", "name"):
        if value := reference.get(name):
            causes += invalids(f"{field}.{name}", value, path_segment_errors(value))
        else:
            causes.append(required(f"{field}.{name}"))
    return causes
