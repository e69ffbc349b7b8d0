"""The client of the server's own controllers and scheduler: the registry and the store, called directly.

No HTTP, no authentication, no second copy of any object. Implements `kubeling.client.Client`.
"""

from server.inprocess.client import LocalClient, user

__all__ = ["LocalClient", "user"]
