"""Talking to an API server: requests, watches, informers, work queues, and the runner of controllers.

What the server's controllers, the scheduler and the node agent are built on. Knows nothing of any kind
beyond its name, and nothing of how a server works.
"""

from kubeling.client.errors import ConnectionLost, KubeconfigError, PermanentError, TemporaryError
from kubeling.client.event_recorder import EventRecorder
from kubeling.client.http import HttpClient
from kubeling.client.protocol import (
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_PATCH,
    Client,
    Informer,
    Listing,
    WatchEvent,
)
from kubeling.client.resources import Resource
from kubeling.client.runner import DONE, ControllerRunner, Result
from kubeling.client.workqueue import WorkQueue

__all__ = [
    "DONE",
    "JSON_PATCH",
    "MERGE_PATCH",
    "STRATEGIC_PATCH",
    "Client",
    "ConnectionLost",
    "ControllerRunner",
    "EventRecorder",
    "HttpClient",
    "Informer",
    "KubeconfigError",
    "Listing",
    "PermanentError",
    "Resource",
    "Result",
    "TemporaryError",
    "WatchEvent",
    "WorkQueue",
]
