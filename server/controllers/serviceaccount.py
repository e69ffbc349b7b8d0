"""A ServiceAccount named `default` in every namespace, made again when deleted. The key is the namespace."""

from contextlib import suppress

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.resources import NAMESPACES, SERVICE_ACCOUNTS
from kubeling.objects import meta
from kubeling.objects.errors import AlreadyExists
from server.controllers.context import Context, Controller

NAME = "default"


def make(context: Context) -> Controller:
    namespaces = context.client.informer(NAMESPACES)
    accounts = context.client.informer(SERVICE_ACCOUNTS)

    async def reconcile(namespace: str) -> Result:
        space = namespaces.get("", namespace)
        if space is None or meta.is_terminating(space) or accounts.get(namespace, NAME):
            return DONE
        account = {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": NAME, "namespace": namespace},
        }
        with suppress(AlreadyExists):  # the informer is behind
            await context.client.create(SERVICE_ACCOUNTS, account)
        return DONE

    runner = ControllerRunner("serviceaccount-controller", reconcile, clock=context.clock)
    runner.watches(namespaces, meta.name)
    runner.watches(accounts, lambda account: meta.namespace(account) if meta.name(account) == NAME else None)
    return runner
