"""The client of the server's own controllers and scheduler: the registry and the store, called directly.

No HTTP, no authentication, no authorization, no second copy of any object: what asks here is part of the
server. Admission sees the user, and field managers are named after it. Implements `kubeling.client.Client`.
"""

from server.inprocess.client import LocalClient, account, user
from server.inprocess.whole import Others, WholeClient

__all__ = ["LocalClient", "Others", "WholeClient", "account", "user"]
