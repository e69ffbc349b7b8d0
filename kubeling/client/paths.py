"""URL paths and query parameters of the API, from a resource and what is asked of it."""

from collections.abc import Mapping
from typing import Any

from kubeling.client.resources import Resource
from kubeling.objects.meta import Object


def path(resource: Resource, *, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
    """`/api/v1/namespaces/default/pods/x/status` and the like; no namespace means all of them."""
    parts = ["/apis", resource.group] if resource.group else ["/api"]
    parts.append(resource.version)
    if resource.namespaced and namespace:
        parts += ["namespaces", namespace]
    parts.append(resource.plural)
    parts += [part for part in (name, subresource) if part]
    return "/".join(parts)


def selection(*, label_selector: str, field_selector: str) -> dict[str, str]:
    parameters = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {name: value for name, value in parameters.items() if value}


def delete_options(
    *,
    grace_period_seconds: int | None,
    preconditions: Mapping[str, str] | None,
    propagation_policy: str | None,
) -> Object:
    options: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
    if grace_period_seconds is not None:
        options["gracePeriodSeconds"] = grace_period_seconds
    if preconditions:
        options["preconditions"] = dict(preconditions)
    if propagation_policy:
        options["propagationPolicy"] = propagation_policy
    return options
