"""Starts and stops all controllers. A new controller is one line here, beside those of its area."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from kubeling.client import Client
from kubeling.objects.clock import Clock, SystemClock
from server.controllers import (
    account_tokens,
    api_services,
    autoscaling,
    certificate_approval,
    certificate_signing,
    cluster_role_aggregation,
    cron_job,
    daemon_set,
    deployment,
    disruption,
    flow_schemas,
    garbage,
    job,
    namespace,
    pod_garbage,
    quota,
    replicas,
    root_certificate,
    service_cidr,
    serviceaccount,
    stateful_set,
    ttl_after_finished,
)
from server.controllers.context import Context, Controller, Recorders, Settings
from server.controllers.endpoints import legacy, mirroring, slices
from server.controllers.expiry import bootstrap_tokens, certificates, events, leases
from server.controllers.identity import ActAs, acting
from server.controllers.nodes import lifecycle, taint_eviction, ttl
from server.controllers.volumes import binder, ephemeral, protection

MANAGER = ""
"""The controller manager itself."""
API_SERVER = "apiserver"
"""The API server: what these do, it does in Kubernetes."""

Make = Callable[[Context], Controller]

CONTROLLERS: tuple[tuple[str, Make], ...] = (
    ("namespace-controller", namespace.make),
    ("generic-garbage-collector", garbage.make),
    ("resourcequota-controller", quota.make),
    ("service-account-controller", serviceaccount.make),
    ("root-ca-cert-publisher", root_certificate.make),
    (MANAGER, account_tokens.make),
    ("token-cleaner", bootstrap_tokens.make),
    ("certificate-controller", certificate_approval.make),
    ("certificate-controller", certificate_signing.make),
    ("certificate-controller", certificates.make),
    ("clusterrole-aggregation-controller", cluster_role_aggregation.make),
    ("node-controller", lifecycle.make),
    ("node-controller", taint_eviction.make),
    ("ttl-controller", ttl.make),
    ("pod-garbage-collector", pod_garbage.make),
    ("deployment-controller", deployment.make),
    ("replicaset-controller", replicas.make_replica_sets),
    ("replication-controller", replicas.make_replication_controllers),
    ("statefulset-controller", stateful_set.make),
    ("daemon-set-controller", daemon_set.make),
    ("job-controller", job.make),
    ("cronjob-controller", cron_job.make),
    ("ttl-after-finished-controller", ttl_after_finished.make),
    ("horizontal-pod-autoscaler", autoscaling.make),
    ("disruption-controller", disruption.make),
    ("endpoint-controller", legacy.make),
    ("endpointslice-controller", slices.make),
    ("endpointslicemirroring-controller", mirroring.make),
    ("service-cidrs-controller", service_cidr.make),
    ("persistent-volume-binder", binder.make),
    ("ephemeral-volume-controller", ephemeral.make),
    ("pvc-protection-controller", protection.make_claim_protection),
    ("pv-protection-controller", protection.make_volume_protection),
    ("volumeattributesclass-protection-controller", protection.make_class_protection),
    (API_SERVER, events.make),
    (API_SERVER, leases.make),
    (API_SERVER, api_services.make),
    (API_SERVER, flow_schemas.make),
)
"""With each, as whom it acts: the service account in kube-system that has its role, or one of the two. Their
order is for readers only: namespaces and what goes with owners; accounts, keys and rights; nodes; workloads;
services; volumes; what the API server does itself."""


class Controllers:
    """The running controllers."""

    def __init__(self, context: Context, act_as: ActAs, only: Callable[[str], bool]) -> None:
        self._recorders = context.recorders
        self._running = [
            make(replace(context, client=acting(act_as(account), informers=context.client)))
            for account, make in CONTROLLERS
            if only(account)
        ]
        for controller in self._running:
            controller.start()
        self._stopping = False

    @property
    def idle(self) -> bool:
        """Whether no controller has anything to do at this moment."""
        return all(controller.idle for controller in self._running)

    def health(self) -> str:
        """Why the controllers do not work; an empty text while they do."""
        return "shutting down" if self._stopping else ""

    async def stop(self) -> None:
        """Let what is under way finish. The client stays open: it is the caller's."""
        self._stopping = True
        await asyncio.gather(*(controller.stop() for controller in self._running))
        await self._recorders.close()


def start_controllers(
    client: Client,
    *,
    clock: Clock | None = None,
    settings: Settings | None = None,
    act_as: ActAs | None = None,
    only: Callable[[str], bool] = lambda account: True,
) -> Controllers:
    """Start every controller, or those of some accounts, in the background of the running event loop.

    `client`, the manager's, feeds the informers of all. Each writes by the client that `act_as` gives for the
    name that stands with it in CONTROLLERS; without `act_as` it is the same one.
    """

    def chosen(account: str) -> Client:
        return act_as(account) if act_as is not None and account != MANAGER else client

    clock = clock or SystemClock()
    return Controllers(Context(client, clock, settings or Settings(), Recorders(clock)), chosen, only)
