"""What is wrong with the `conversion` of a CustomResourceDefinition. Fields as upstream's internal form has
them: `webhookClientConfig` and `conversionReviewVersions` stand right in it."""

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_1035_errors
from server.registry.causes import choice, forbidden, invalid, required
from server.registry.custom.definition import is_true
from server.registry.webhook_clients import bundle_causes, bundle_problem, service_causes, url_causes

_FIELD = "spec.conversion"
_STRATEGIES = ("None", "Webhook")
_REVIEWS = ("v1", "v1beta1")
"""The versions of ConversionReview that are spoken."""


def conversion_causes(spec: Object, old: Object | None) -> list[Cause]:
    """`old` is the stored definition, if there is one."""
    conversion = spec.get("conversion")
    if conversion is None:
        return []
    strategy, webhook = conversion.get("strategy") or "", conversion.get("webhook")
    causes: list[Cause] = []
    if strategy != "None" and spec.get("preserveUnknownFields"):
        why = "must be None if spec.preserveUnknownFields is true"
        causes.append(invalid(f"{_FIELD}.strategy", strategy, why))
    causes += choice(f"{_FIELD}.strategy", strategy, _STRATEGIES)
    if strategy == "Webhook":
        return causes + _webhook_causes(webhook or {}, old)
    return causes + _unwanted(webhook or {})


def _unwanted(webhook: Object) -> list[Cause]:
    why = "should not be set when strategy is not set to Webhook"
    causes = []
    if webhook.get("clientConfig") is not None:
        causes.append(forbidden(f"{_FIELD}.webhookClientConfig", why))
    if webhook.get("conversionReviewVersions"):
        causes.append(forbidden(f"{_FIELD}.conversionReviewVersions", why))
    return causes


def _webhook_causes(webhook: Object, old: Object | None) -> list[Cause]:
    client, field = webhook.get("clientConfig"), f"{_FIELD}.webhookClientConfig"
    if client is None:
        causes = [required(field, "required when strategy is set to Webhook")]
    else:
        causes = _client_causes(field, client)
        bundle = client.get("caBundle") or ""
        if bundle and not _allows_invalid_bundle(old):
            causes += bundle_causes(f"{field}.caBundle", bundle)
    return causes + _review_causes(webhook.get("conversionReviewVersions") or [], old)


def _client_causes(field: str, client: Object) -> list[Cause]:
    url, service = client.get("url"), client.get("service")
    if (url is None) == (service is None):
        return [required(field, "exactly one of url or service is required")]
    if url is not None:
        return url_causes(f"{field}.url", url)
    return service_causes(f"{field}.service", service or {})


def _allows_invalid_bundle(old: Object | None) -> bool:
    """A definition that is not established yet, or has such a bundle already, may have an invalid one."""
    if old is None or not is_true(old, "Established"):
        return True
    webhook = (old["spec"].get("conversion") or {}).get("webhook") or {}
    bundle = (webhook.get("clientConfig") or {}).get("caBundle") or ""
    return bool(bundle) and bool(bundle_problem(bundle))


def _review_causes(versions: list[str], old: Object | None) -> list[Cause]:
    field = f"{_FIELD}.conversionReviewVersions"
    if not versions:
        return [required(field)]
    causes: list[Cause] = []
    for number, version in enumerate(versions):
        if version in versions[:number]:
            causes.append(invalid(f"{field}[{number}]", version, "duplicate version"))
            continue
        causes += [invalid(f"{field}[{number}]", version, error) for error in label_1035_errors(version)]
    if not set(versions) & set(_REVIEWS) and _wants_known_review(old):
        causes.append(invalid(field, versions, f"must include at least one of {', '.join(_REVIEWS)}"))
    return causes


def _wants_known_review(old: Object | None) -> bool:
    conversion = (old or {}).get("spec", {}).get("conversion") or {}
    stored = (conversion.get("webhook") or {}).get("conversionReviewVersions") or []
    return not stored or bool(set(stored) & set(_REVIEWS))
