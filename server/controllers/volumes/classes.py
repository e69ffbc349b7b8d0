"""Whether a claim names its class, which is the default, and what a class says. Pure functions."""

from collections.abc import Iterable

from kubeling.objects import meta
from kubeling.objects.meta import Object
from kubeling.objects.volume_claims import CLASS

_DEFAULTS = (
    "storageclass.kubernetes.io/is-default-class",
    "storageclass.beta.kubernetes.io/is-default-class",
)


def has_class(claim: Object) -> bool:
    """Whether the claim names a class, if the empty one: then the default is not for it."""
    return CLASS in meta.annotations(claim) or claim["spec"].get("storageClassName") is not None


def default_class(classes: Iterable[Object]) -> Object | None:
    """Of several the newest, then the first by name."""
    found = [
        each for each in classes if any(meta.annotations(each).get(name) == "true" for name in _DEFAULTS)
    ]
    found.sort(key=meta.name)
    return max(found, key=lambda each: str(meta.metadata(each).get("creationTimestamp")), default=None)


def waits_for_consumer(storage_class: Object | None) -> bool:
    return storage_class is not None and storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"
