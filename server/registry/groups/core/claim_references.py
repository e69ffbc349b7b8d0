"""Validation of a pod's references to ResourceClaims."""

from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_errors, subdomain_errors
from server.registry.causes import duplicate, invalid, invalids, required

_KINDS = ("resourceClaimName", "resourceClaimTemplateName")


def claim_reference_causes(field: str, claims: list[Object]) -> list[Cause]:
    causes: list[Cause] = []
    names: set[str] = set()
    for position, claim in enumerate(claims):
        where, name = f"{field}[{position}]", claim.get("name", "")
        if not name:
            causes.append(required(f"{where}.name"))
        elif name in names:
            causes.append(duplicate(f"{where}.name", name))
        else:
            causes += invalids(f"{where}.name", name, label_errors(name))
            names.add(name)
        causes += _target_causes(where, claim)
    return causes


def _target_causes(field: str, claim: Object) -> list[Cause]:
    given = [kind for kind in _KINDS if claim.get(kind) is not None]
    causes: list[Cause] = []
    if len(given) > 1:
        why = "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified"
        causes.append(invalid(field, claim, why))
    if not given:
        why = "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`"
        causes.append(invalid(field, claim, why))
    for kind in given:
        causes += invalids(f"{field}.{kind}", claim[kind], subdomain_errors(claim[kind]))
    return causes
