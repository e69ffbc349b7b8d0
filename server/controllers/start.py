"""Starts and stops all controllers. A new controller is one line here."""

from collections.abc import Callable

from kubeling.client import Client, EventRecorder
from kubeling.objects.clock import Clock, SystemClock
from server.controllers import (
    account_tokens,
    api_services,
    certificate_approval,
    certificate_signing,
    event_expiry,
    flow_schemas,
    namespace,
    node_ipam,
    node_lifecycle,
    pod_garbage,
    root_certificate,
    service_cidr,
    serviceaccount,
    storage_protection,
)
from server.controllers.context import Context, Controller, Settings

CONTROLLERS: tuple[Callable[[Context], Controller], ...] = (
    serviceaccount.make,
    root_certificate.make,
    account_tokens.make,
    certificate_approval.make,
    certificate_signing.make,
    namespace.make,
    node_ipam.make,
    node_lifecycle.make,
    pod_garbage.make,
    event_expiry.make,
    service_cidr.make,
    api_services.make,
    flow_schemas.make,
    storage_protection.make_claim_protection,
    storage_protection.make_volume_protection,
    storage_protection.make_class_protection,
)


class Controllers:
    """The running controllers."""

    def __init__(self, context: Context) -> None:
        self._recorder = context.recorder
        self._running = [make(context) for make in CONTROLLERS]
        for controller in self._running:
            controller.start()

    async def stop(self) -> None:
        """Let what is under way finish. The client stays open: it is the caller's."""
        for controller in reversed(self._running):
            await controller.stop()
        await self._recorder.close()


def start_controllers(
    client: Client, *, clock: Clock | None = None, settings: Settings | None = None
) -> Controllers:
    """Start every controller in the background of the running event loop."""
    clock = clock or SystemClock()
    recorder = EventRecorder(client, "node-controller", clock=clock)
    return Controllers(Context(client, clock, settings or Settings(), recorder))
