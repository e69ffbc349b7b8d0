"""Clients of the controllers' service accounts, over HTTP: the manager asks for their tokens and renews them.

As kube-controller-manager does with --use-service-account-credentials. An account that is missing is made.
"""

from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace

from kubeling.client import ConnectionLost, HttpClient
from kubeling.client.kubeconfig import Connection
from kubeling.client.resources import SERVICE_ACCOUNTS
from kubeling.objects.clock import Clock
from kubeling.objects.errors import AlreadyExists, ApiError, NotFound
from kubeling.objects.tasks import Tasks

_NAMESPACE = "kube-system"
_LIFE_SECONDS = 3600
_RENEWAL_SECONDS = 2400.0
_RETRY_SECONDS = 10.0


class Credentials:
    """`parts` ends the clients and the renewal of their tokens."""

    def __init__(self, manager: HttpClient, connection: Connection, clock: Clock) -> None:
        self._manager = manager
        self._connection = replace(connection, certificate=None, key=None, token="")
        self._clock = clock
        self._clients: dict[str, HttpClient] = {}
        self._tasks = Tasks("credentials")

    async def begin(self, accounts: Iterable[str], parts: AsyncExitStack) -> None:
        """Get the tokens of all the accounts. Raises: ApiError, ConnectionLost."""
        for account in sorted(set(accounts)):
            client = HttpClient(self._connection, user_agent=f"kube-controller-manager/{account}")
            self._clients[account] = await parts.enter_async_context(client)
        await self._renew()
        parts.push_async_callback(self._tasks.stop)
        self._tasks.start(self._keep_renewing(), name="renewal")

    def client(self, account: str) -> HttpClient:
        return self._clients[account]

    async def _keep_renewing(self) -> None:
        delay = _RENEWAL_SECONDS
        while True:
            await self._clock.sleep(delay)
            delay = _RETRY_SECONDS
            with suppress(ApiError, ConnectionLost):
                await self._renew()
                delay = _RENEWAL_SECONDS

    async def _renew(self) -> None:
        for account, client in self._clients.items():
            client.use_token(await self._token(account))

    async def _token(self, account: str) -> str:
        try:
            return await self._request(account)
        except NotFound:
            own = {"name": account, "namespace": _NAMESPACE}
            made = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": own}
            with suppress(AlreadyExists):
                await self._manager.create(SERVICE_ACCOUNTS, made)
            return await self._request(account)

    async def _request(self, account: str) -> str:
        asked = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "metadata": {"name": account, "namespace": _NAMESPACE},
            "spec": {"expirationSeconds": _LIFE_SECONDS},
        }
        answer = await self._manager.create(SERVICE_ACCOUNTS, asked, subresource="token")
        return str(answer["status"]["token"])
