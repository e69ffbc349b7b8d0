"""Controllers act as different users, and see the world through the same informers.

As kube-controller-manager does with --use-service-account-credentials: reading all is the manager's right,
writing each controller's own.
"""

from collections.abc import Callable

from kubeling.client import Client

ActAs = Callable[[str], Client]
"""The client of a service account in kube-system, or of the API server."""


def acting(client: Client, *, informers: Client) -> Client:
    """A client whose requests are those of `client` and whose informers are the other's."""
    return client if client is informers else _Acting(client, informers)


class _Acting:
    def __init__(self, client: Client, informers: Client) -> None:
        self.get, self.list, self.watch = client.get, client.list, client.watch
        self.discover, self.discovery, self.fetch = client.discover, client.discovery, client.fetch
        self.create, self.update, self.patch = client.create, client.update, client.patch
        self.delete, self.delete_collection = client.delete, client.delete_collection
        self.informer, self.drop_informers = informers.informer, informers.drop_informers
        self.close = client.close
