"""Validation of pods' volumes."""

from collections.abc import Callable, Mapping

from kubeling.objects import quantity
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors, subdomain_errors
from server.registry.causes import choice, duplicate, forbidden, invalid, invalids, required
from server.registry.groups.core.claim_validation import claim_template_causes
from server.registry.groups.core.projected_validation import (
    config_map_causes,
    downward_causes,
    projected_causes,
    secret_causes,
)
from server.registry.groups.core.volume_sources import SOURCES, driver_causes, more_than_one

Volumes = Mapping[str, Object]
"""The volumes that mounts may use, by name."""
_PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_LONGEST_ISCSI = 64


def volume_causes(
    field: str, volumes: list[Object], *, pod: str = "", is_pod: bool = False
) -> tuple[Volumes, list[Cause]]:
    """The well-formed volumes by name, and what is wrong with the others; `pod` is the pod's name or ""."""
    found: dict[str, Object] = {}
    causes: list[Cause] = []
    created = {f"{pod}-{each.get('name')}" for each in volumes if pod and each.get("ephemeral") is not None}
    for position, volume in enumerate(volumes):
        where, name = f"{field}[{position}]", volume.get("name", "")
        wrong = _source_causes(where, volume, pod=pod, is_pod=is_pod)
        wrong += invalids(f"{where}.name", name, label_errors(name)) if name else [required(f"{where}.name")]
        if name in found:
            wrong.append(duplicate(f"{where}.name", name))
        if not wrong:
            found[name] = volume
        causes += wrong
        claim = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if claim in created:
            why = "must not reference a PVC that gets created for an ephemeral volume"
            causes.append(invalid(f"{where}.persistentVolumeClaim.claimName", claim, why))
    return found, causes


def _source_causes(field: str, volume: Object, *, pod: str, is_pod: bool) -> list[Cause]:
    sources = [name for name in volume if name in _CHECKS and volume[name] is not None]
    if len(sources) > 1:
        sources = [name for name in _CHECKS if name in sources]
    if not sources:
        return [required(field, "must specify a volume type")]
    first = sources[0]
    causes = _CHECKS[first](f"{field}.{first}", volume[first])
    causes += [more_than_one(f"{field}.{name}") for name in sources[1:]]
    if "ephemeral" in volume and pod and (name := volume.get("name")):
        claim = f"{pod}-{name}"
        errors = [f'PVC name "{claim}": {error}' for error in subdomain_errors(claim)]
        causes += invalids(f"{field}.name", name, errors)
    if "image" in volume and is_pod and not volume["image"].get("reference"):
        causes.append(required(f"{field}.image.reference"))
    return causes + _iscsi_length_causes(field, volume)


def _iscsi_length_causes(field: str, volume: Object) -> list[Cause]:
    source, name = volume.get("iscsi") or {}, volume.get("name", "")
    if "initiatorName" in source and len(f"{name}:{source.get('targetPortal', '')}") > _LONGEST_ISCSI:
        why = (
            "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if"
            " iscsi.initiatorName is specified."
        )
        return [invalid(f"{field}.name", name, why)]
    return []


def _empty_dir(field: str, source: Object) -> list[Cause]:
    limit = source.get("sizeLimit")
    if limit is not None and quantity.parse(limit) < 0:
        return [forbidden(f"{field}.sizeLimit", "SizeLimit field must be a valid resource quantity")]
    return []


def _claim(field: str, source: Object) -> list[Cause]:
    return [] if source.get("claimName") else [required(f"{field}.claimName")]


def _csi(field: str, source: Object) -> list[Cause]:
    causes = driver_causes(f"{field}.driver", source.get("driver", ""))
    if (reference := source.get("nodePublishSecretRef")) is not None:
        name = reference.get("name", "")
        if not name:
            causes.append(required(f"{field}.nodePublishSecretRef.name"))
        else:
            causes += invalids(f"{field}.name", name, subdomain_errors(name))
    return causes


def _ephemeral(field: str, source: Object) -> list[Cause]:
    where = f"{field}.volumeClaimTemplate"
    template = source.get("volumeClaimTemplate")
    return [required(where)] if template is None else claim_template_causes(where, template)


def _image(field: str, source: Object) -> list[Cause]:
    return choice(f"{field}.pullPolicy", source.get("pullPolicy"), _PULL_POLICIES)


_CHECKS: Mapping[str, Callable[[str, Object], list[Cause]]] = {
    "emptyDir": _empty_dir,
    **SOURCES,
    "secret": secret_causes,
    "persistentVolumeClaim": _claim,
    "downwardAPI": downward_causes,
    "configMap": config_map_causes,
    "projected": projected_causes,
    "csi": _csi,
    "ephemeral": _ephemeral,
    "image": _image,
}
