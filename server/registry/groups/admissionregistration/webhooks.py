"""Webhook configurations, mutating and validating."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_1035_errors, subdomain_errors
from server.registry.causes import duplicate, invalid, invalids, not_supported, required
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.groups.admissionregistration.rules import condition_causes, default_rules, rule_causes
from server.registry.groups.core.label_selector_validation import label_selector_causes
from server.registry.strategy import Strategy

_FAILURE, _MATCH, _AGAIN = ("Fail", "Ignore"), ("Equivalent", "Exact"), ("IfNeeded", "Never")
_SIDE_EFFECTS = ("None", "NoneOnDryRun")
_REVIEWS = ("v1", "v1beta1")
_LONGEST_TIMEOUT = 30
_ONE = "exactly one of url or service is required"


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
            default_rules(hook.get("rules"))

    def validate(self, obj: Object) -> list[Cause]:
        causes: list[Cause] = []
        names: set[str] = set()
        for position, hook in enumerate(obj.get("webhooks") or ()):
            field, name = f"webhooks[{position}]", hook.get("name") or ""
            causes += _hook_causes(field, hook)
            if name and name in names:
                causes.append(duplicate(f"{field}.name", name))
            names.add(name)
        return causes

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [meta.name(obj), len(obj.get("webhooks") or []), object_age(obj, now)]


class MutatingWebhooks(Webhooks):
    def default(self, obj: Object) -> None:
        super().default(obj)
        for hook in obj.get("webhooks") or ():
            hook.setdefault("reinvocationPolicy", "Never")


def _hook_causes(field: str, hook: Object) -> list[Cause]:
    causes = _full_name_causes(f"{field}.name", hook.get("name") or "")
    for position, rule in enumerate(hook.get("rules") or ()):
        causes += rule_causes(f"{field}.rules[{position}]", rule)
    causes += _policy_causes(field, hook)
    seconds = hook["timeoutSeconds"]
    if not 1 <= seconds <= _LONGEST_TIMEOUT:
        why = "the timeout value must be between 1 and 30 seconds"
        causes.append(invalid(f"{field}.timeoutSeconds", seconds, why))
    for name in ("namespaceSelector", "objectSelector"):
        causes += label_selector_causes(f"{field}.{name}", hook.get(name))
    causes += _client_causes(f"{field}.clientConfig", hook.get("clientConfig") or {})
    causes += condition_causes(f"{field}.matchConditions", hook.get("matchConditions") or [])
    return causes + _review_causes(
        f"{field}.admissionReviewVersions", hook.get("admissionReviewVersions") or []
    )


def _policy_causes(field: str, hook: Object) -> list[Cause]:
    causes: list[Cause] = []
    for name, known in (("failurePolicy", _FAILURE), ("matchPolicy", _MATCH)):
        if hook[name] not in known:
            causes.append(not_supported(f"{field}.{name}", hook[name], known))
    effects = hook.get("sideEffects")
    if effects is None:
        why = f"must specify one of {', '.join(_SIDE_EFFECTS)}"
        causes.append(required(f"{field}.sideEffects", why))
    elif effects not in _SIDE_EFFECTS:
        causes.append(not_supported(f"{field}.sideEffects", effects, _SIDE_EFFECTS))
    again = hook.get("reinvocationPolicy")
    if again is not None and again not in _AGAIN:
        causes.append(not_supported(f"{field}.reinvocationPolicy", again, _AGAIN))
    return causes


def _full_name_causes(field: str, name: str) -> list[Cause]:
    if not name:
        return [required(field)]
    if errors := subdomain_errors(name):
        return invalids(field, name, errors)
    if name.count(".") < 2:
        return [invalid(field, name, "should be a domain with at least three segments separated by dots")]
    return []


def _client_causes(field: str, client: Object) -> list[Cause]:
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        return [required(field, _ONE)]
    if url is not None:
        return _url_causes(f"{field}.url", url)
    return _service_causes(f"{field}.service", service or {})


def _service_causes(where: str, service: Object) -> list[Cause]:
    causes = [required(f"{where}.{name}") for name in ("name", "namespace") if not service.get(name)]
    port = service.get("port", 443)
    if not 1 <= port <= 65535:
        why = "port is not valid: must be between 1 and 65535, inclusive"
        causes.append(invalid(f"{where}.port", port, why))
    return causes + _path_causes(f"{where}.path", service.get("path"))


def _url_causes(field: str, url: str) -> list[Cause]:
    form = "url must be a valid URL; desired format: https://host[/path]"
    form_of = "; desired format: https://host[/path]"
    try:
        parts = urlsplit(url)
    except ValueError as error:
        return [required(field, f"{form}: {error}")]
    causes: list[Cause] = []
    if parts.scheme != "https":
        causes.append(invalid(field, parts.scheme, f"'https' is the only allowed URL scheme{form_of}"))
    if not parts.netloc:
        causes.append(invalid(field, parts.netloc, f"host must be specified{form_of}"))
    if "@" in parts.netloc:
        user = parts.netloc.rpartition("@")[0]
        causes.append(invalid(field, user, "user information is not permitted in the URL"))
    if parts.fragment:
        causes.append(invalid(field, parts.fragment, "fragments are not permitted in the URL"))
    if parts.query:
        causes.append(invalid(field, parts.query, "query parameters are not permitted in the URL"))
    return causes


def _path_causes(field: str, path: str | None) -> list[Cause]:
    if path is None or path == "/":
        return []
    if not path.startswith("/"):
        return [invalid(field, path, "must start with a '/'")]
    steps = path[1:].split("/")
    causes: list[Cause] = []
    for position, step in enumerate(steps):
        if not step and position != len(steps) - 1:
            causes.append(invalid(field, path, f"segment[{position}] may not be empty"))
        elif step:
            causes += [
                invalid(field, path, f"segment[{position}]: {error}") for error in subdomain_errors(step)
            ]
    return causes


def _review_causes(field: str, versions: Sequence[str]) -> list[Cause]:
    known = ", ".join(_REVIEWS)
    if not versions:
        return [required(field, f"must specify one of {known}")]
    causes: list[Cause] = []
    for position, version in enumerate(versions):
        where = f"{field}[{position}]"
        if version in versions[:position]:
            causes.append(invalid(where, version, "duplicate version"))
        else:
            causes += invalids(where, version, label_1035_errors(version))
    if not set(versions) & set(_REVIEWS):
        causes.append(invalid(field, versions, f"must include at least one of {known}"))
    return causes
