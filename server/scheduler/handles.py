"""What plug-ins may use beside the cluster's nodes and pods: other kinds by their informers, the client,
the clock."""

from dataclasses import dataclass

from kubeling.client import Client
from kubeling.client.protocol import Informer
from kubeling.client.resources import (
    CSI_DRIVERS,
    CSI_NODES,
    CSI_STORAGE_CAPACITIES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    POD_DISRUPTION_BUDGETS,
    REPLICA_SETS,
    REPLICATION_CONTROLLERS,
    SERVICES,
    STATEFUL_SETS,
    STORAGE_CLASSES,
    VOLUME_ATTACHMENTS,
)
from kubeling.objects.clock import Clock
from server.scheduler.framework import Resources
from server.scheduler.pod_selectors import PodSelectors


@dataclass(frozen=True, slots=True)
class Handles:
    client: Client
    clock: Clock
    selectors: PodSelectors
    claims: Informer
    volumes: Informer
    classes: Informer
    csi_nodes: Informer
    csi_drivers: Informer
    capacities: Informer
    attachments: Informer
    budgets: Informer

    @classmethod
    def of(cls, client: Client, clock: Clock) -> "Handles":
        of = client.informer
        return cls(
            client,
            clock,
            PodSelectors(of(SERVICES), of(REPLICATION_CONTROLLERS), of(REPLICA_SETS), of(STATEFUL_SETS)),
            claims=of(PERSISTENT_VOLUME_CLAIMS),
            volumes=of(PERSISTENT_VOLUMES),
            classes=of(STORAGE_CLASSES),
            csi_nodes=of(CSI_NODES),
            csi_drivers=of(CSI_DRIVERS),
            capacities=of(CSI_STORAGE_CAPACITIES),
            attachments=of(VOLUME_ATTACHMENTS),
            budgets=of(POD_DISRUPTION_BUDGETS),
        )

    async def wait_synced(self) -> None:
        for informer in (
            *self.selectors.informers,
            *(informer for _, informer in self.watched()),
            self.budgets,
        ):
            await informer.wait_synced()

    def watched(self) -> tuple[tuple[str, Informer], ...]:
        """Those whose changes may let pods fit, with their names in cluster events."""
        return (
            (Resources.CLAIM, self.claims),
            (Resources.VOLUME, self.volumes),
            (Resources.STORAGE_CLASS, self.classes),
            (Resources.CSI_NODE, self.csi_nodes),
            (Resources.CSI_DRIVER, self.csi_drivers),
            (Resources.CAPACITY, self.capacities),
            (Resources.ATTACHMENT, self.attachments),
        )
