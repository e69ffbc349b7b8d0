"""Keeps as many pods as ReplicaSets and ReplicationControllers ask for: one implementation for both.

How soon changes of pods wake an owner (`wake`), its reconciliation (`reconcile`), what its pods count for
(`standing`), which of them go first (`deletion_order`), what it says of itself (`status`), wherein the two
kinds differ (`flavour`).
"""

from server.controllers.context import Context, Controller
from server.controllers.replicas.flavour import REPLICA_SET, REPLICATION_CONTROLLER
from server.controllers.replicas.reconcile import controller

__all__ = ["make_replica_sets", "make_replication_controllers"]


def make_replica_sets(context: Context) -> Controller:
    return controller(context, REPLICA_SET)


def make_replication_controllers(context: Context) -> Controller:
    return controller(context, REPLICATION_CONTROLLER)
