"""Removes the virtual nodes of earlier starts from a cluster that has been started without any.

Where only fewer are wanted their own process does it. Not here: their pods, which the control plane removes;
nodes that others made.
"""

import re

from kubeling.cluster.apiclient import ApiClient
from kubeling.cluster.home import Home

_OURS = re.compile(r"virtual-\d+")
_VIRTUAL = "/api/v1/nodes?labelSelector=kubeling.dev/virtual=true"


def remove_virtual_nodes(home: Home, client: ApiClient) -> int:
    """How many they were. Until all are gone the configuration of their process stays as a sign.

    Raises:
        ApiFailed: some are left, for the next start to remove.
    """
    if not home.virtual_config.exists():
        return 0
    names = [each["metadata"]["name"] for each in client.get(_VIRTUAL)["items"]]
    ours = [name for name in names if _OURS.fullmatch(name)]
    for name in ours:
        client.request("DELETE", f"/api/v1/nodes/{name}")
    home.virtual_config.unlink(missing_ok=True)
    return len(ours)
