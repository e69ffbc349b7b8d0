"""Ingresses."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors, subdomain_errors
from server.registry.causes import invalid, invalids, not_supported, required
from server.registry.columns import AGE, columns, object_age
from server.registry.groups.core.port_names import port_name_errors
from server.registry.groups.ip_validation import host_causes, ip_errors, parsed_ip
from server.registry.groups.networking.ingress_class import reference_causes
from server.registry.strategy import Strategy

CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_PATH_TYPES = ("Exact", "ImplementationSpecific", "Prefix")
_SEQUENCES, _SUFFIXES = ("//", "/./", "/../", "%2f", "%2F"), ("/..", "/.")
_SHOWN = 3
_NOT_A_NAME = "must be a DNS name, not an IP address"


class Ingresses(Strategy):
    has_generation = True
    columns = columns("Class", "Hosts", "Address", "Ports", AGE)

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj.get("spec") or {}
        causes: list[Cause] = []
        if not spec.get("rules") and spec.get("defaultBackend") is None:
            causes.append(invalid("spec", None, "either `defaultBackend` or `rules` must be specified"))
        if (backend := spec.get("defaultBackend")) is not None:
            causes += _backend_causes("spec.defaultBackend", backend)
        for position, rule in enumerate(spec.get("rules") or ()):
            causes += _rule_causes(f"spec.rules[{position}]", rule)
        for position, each in enumerate(spec.get("tls") or ()):
            causes += _tls_causes(f"spec.tls[{position}]", each)
        if (name := spec.get("ingressClassName")) is not None:
            causes += invalids("spec.ingressClassName", name, subdomain_errors(name))
        return causes

    def validate_create(self, obj: Object) -> list[Cause]:
        noted, name = (
            meta.annotations(obj).get(CLASS_ANNOTATION),
            (obj.get("spec") or {}).get("ingressClassName"),
        )
        if noted is None or name is None or noted == name:
            return []
        why = "must match `ingressClassName` when both are specified"
        return [invalid(f"annotations.{CLASS_ANNOTATION}", noted, why)]

    def validate_status_update(self, obj: Object, old: Object) -> list[Cause]:
        balancer = (obj.get("status") or {}).get("loadBalancer") or {}
        causes: list[Cause] = []
        for position, each in enumerate(balancer.get("ingress") or ()):
            field = f"status.loadBalancer.ingress[{position}]"
            if ip := each.get("ip"):
                causes += invalids(f"{field}.ip", ip, ip_errors(ip))
            if host := each.get("hostname"):
                causes += invalids(f"{field}.hostname", host, subdomain_errors(host))
                if parsed_ip(host) is not None:
                    causes.append(invalid(f"{field}.hostname", host, _NOT_A_NAME))
        return causes

    def warnings(self, obj: Object) -> list[str]:
        if CLASS_ANNOTATION not in meta.annotations(obj):
            return []
        old = f'annotation "{CLASS_ANNOTATION}" is deprecated'
        return [f"{old}, please use 'spec.ingressClassName' instead"]

    def update_warnings(self, obj: Object, old: Object) -> list[str]:
        return [] if CLASS_ANNOTATION in meta.annotations(old) else self.warnings(obj)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        spec, balancer = obj.get("spec") or {}, (obj.get("status") or {}).get("loadBalancer") or {}
        addresses = [each.get("ip") or each.get("hostname") or "" for each in balancer.get("ingress") or ()]
        return [
            meta.name(obj),
            spec.get("ingressClassName") or meta.annotations(obj).get(CLASS_ANNOTATION) or "<none>",
            _hosts(spec.get("rules") or []),
            ",".join(sorted(set(filter(None, addresses)))),
            "80, 443" if spec.get("tls") else "80",
            object_age(obj, now),
        ]


def _hosts(rules: list[Object]) -> str:
    """The first three hosts; what is beyond the third rule is only counted."""
    found: list[str] = []
    for rule in rules:
        if len(found) == _SHOWN:
            return f"{','.join(found)} + {len(rules) - _SHOWN} more..."
        if rule.get("host"):
            found.append(rule["host"])
    return ",".join(found) or "*"


def _rule_causes(field: str, rule: Object) -> list[Cause]:
    causes: list[Cause] = []
    if host := rule.get("host"):
        if parsed_ip(host) is not None:
            causes.append(invalid(f"{field}.host", host, _NOT_A_NAME))
        causes += host_causes(f"{field}.host", host)
    if (http := rule.get("http")) is not None:
        if not http.get("paths"):
            causes.append(required(f"{field}.http.paths"))
        for number, path in enumerate(http.get("paths") or ()):
            causes += _path_causes(f"{field}.http.paths[{number}]", path)
    return causes


def _path_causes(field: str, path: Object) -> list[Cause]:
    kind, text = path.get("pathType"), path.get("path", "")
    if not kind:
        return [required(f"{field}.pathType", "pathType must be specified")]
    causes: list[Cause] = []
    if kind not in _PATH_TYPES:
        causes.append(not_supported(f"{field}.pathType", kind, _PATH_TYPES))
    elif not text.startswith("/") and (text or kind != "ImplementationSpecific"):
        causes.append(invalid(f"{field}.path", text, "must be an absolute path"))
    if kind in ("Exact", "Prefix"):
        causes += [
            invalid(f"{field}.path", text, f"must not contain '{each}'")
            for each in _SEQUENCES
            if each in text
        ]
        causes += [
            invalid(f"{field}.path", text, f"cannot end with '{each}'")
            for each in _SUFFIXES
            if text.endswith(each)
        ]
    return causes + _backend_causes(f"{field}.backend", path.get("backend") or {})


def _backend_causes(field: str, backend: Object) -> list[Cause]:
    service, resource = backend.get("service"), backend.get("resource")
    if service is not None and resource is not None:
        return [invalid(field, "", "cannot set both resource and service backends")]
    if resource is not None:
        return reference_causes(f"{field}.resource", resource)
    if service is None:
        return [invalid(field, "", "resource or service backend is required")]
    name = service.get("name", "")
    causes = (
        invalids(f"{field}.service.name", name, label_errors(name))
        if name
        else [required(f"{field}.service.name")]
    )
    return causes + _port_causes(field, service.get("port") or {})


def _port_causes(field: str, port: Object) -> list[Cause]:
    name, number = port.get("name"), port.get("number")
    if name and number:
        return [invalid(field, "", "cannot set both port name & port number")]
    if name:
        return invalids(f"{field}.service.port.name", name, port_name_errors(name))
    if number:
        wrong = [] if 1 <= number <= 65535 else ["must be between 1 and 65535, inclusive"]
        return invalids(f"{field}.service.port.number", number, wrong)
    return [required(field, "port name or number is required")]


def _tls_causes(field: str, tls: Object) -> list[Cause]:
    causes = [
        cause
        for position, host in enumerate(tls.get("hosts") or ())
        for cause in host_causes(f"{field}.hosts[{position}]", host)
    ]
    name = tls.get("secretName") or ""
    return causes + (invalids(f"{field}.secretName", name, subdomain_errors(name)) if name else [])
