"""The kinds that are built in, in the order of discovery: core first, then group by group.

Not here: kinds that CustomResourceDefinitions add, and finding a kind; see `kinds`.
"""

from server.registry.groups import (
    apiextensions,
    apiregistration,
    authentication,
    authorization,
    autoscaling,
    certificates,
    coordination,
    discovery,
    events,
    metrics,
    node,
    policy,
    rbac,
    scheduling,
    storagemigration,
)
from server.registry.groups.admissionregistration import kinds as admissionregistration
from server.registry.groups.apps import kinds as apps
from server.registry.groups.batch import kinds as batch
from server.registry.groups.core import kinds as core
from server.registry.groups.flowcontrol import kinds as flowcontrol
from server.registry.groups.networking import kinds as networking
from server.registry.groups.resource import kinds as resource
from server.registry.groups.storage import kinds as storage
from server.registry.kind import Kind

BUILT_IN: tuple[Kind, ...] = (
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
    *metrics.KINDS,
)
