"""The client of the server's own controllers and scheduler: the registry and the store, called directly.

No HTTP, no authentication, no authorization, no second copy of any object: what asks here is part of the
server. Admission sees the user, and field managers are named after it. Implements `kubeling.client.Client`.
"""

from server.inprocess.client import LocalClient, Others, account, user

__all__ = ["LocalClient", "Others", "account", "user"]
