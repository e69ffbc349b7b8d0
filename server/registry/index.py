"""Finds kinds: by group, version and plural as a URL names them, by kind as an object does, or all."""

from collections.abc import Sequence

from server.registry.groups import (
    admissionregistration,
    apiextensions,
    apiregistration,
    authentication,
    authorization,
    autoscaling,
    certificates,
    coordination,
    discovery,
    events,
    flowcontrol,
    networking,
    node,
    policy,
    rbac,
    resource,
    scheduling,
    storage,
    storagemigration,
)
from server.registry.groups.apps import kinds as apps
from server.registry.groups.batch import kinds as batch
from server.registry.groups.core import kinds as core
from server.registry.kind import Kind

_ALL: tuple[Kind, ...] = (
    *core.KINDS,
    *apiregistration.KINDS,
    *apps.KINDS,
    *events.KINDS,
    *authentication.KINDS,
    *authorization.KINDS,
    *autoscaling.KINDS,
    *batch.KINDS,
    *certificates.KINDS,
    *networking.KINDS,
    *policy.KINDS,
    *rbac.KINDS,
    *storage.KINDS,
    *admissionregistration.KINDS,
    *apiextensions.KINDS,
    *scheduling.KINDS,
    *coordination.KINDS,
    *node.KINDS,
    *discovery.KINDS,
    *flowcontrol.KINDS,
    *resource.KINDS,
    *storagemigration.KINDS,
)
_BY_PLURAL = {(kind.group, version, kind.plural): kind for kind in _ALL for version in kind.versions}
_BY_KIND = {(kind.group, version, kind.kind): kind for kind in _ALL for version in kind.versions}


def lookup(group: str, version: str, plural: str) -> Kind | None:
    """The kind that is served under /apis/GROUP/VERSION/PLURAL (/api/v1/PLURAL for group "")."""
    return _BY_PLURAL.get((group, version, plural))


def lookup_kind(group: str, version: str, kind: str) -> Kind | None:
    """The kind of an object with that apiVersion and kind."""
    return _BY_KIND.get((group, version, kind))


def kinds() -> Sequence[Kind]:
    """Every kind, in the order of discovery: core first, then group by group."""
    return _ALL
