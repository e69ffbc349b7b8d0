"""Who may ask what of a node: the API server decides, by a SubjectAccessReview about the Node object.

    /stats/...                          nodes/stats
    /metrics, /metrics/...              nodes/metrics
    /logs/...                           nodes/log
    /checkpoint/...                     nodes/checkpoint
    /statusz, /flagz                    nodes/statusz, nodes/flagz
    /pods, /runningpods/                nodes/pods, else nodes/proxy
    /healthz/..., /configz              nodes/healthz, nodes/configz, else nodes/proxy
    everything else                     nodes/proxy

What it said holds for five minutes when it allowed, half a minute when not.
"""

import json
import logging
from collections.abc import Sequence
from http import HTTPStatus

from kubeling.client.protocol import Client
from kubeling.client.resources import Resource
from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object
from runtime.node.api.authentication import User
from runtime.node.api.errors import HttpError
from runtime.node.api.remembered import Remembered
from runtime.node.api.review import NoReview, review

logger = logging.getLogger(__name__)

REVIEWS = Resource(
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", namespaced=False
)
ALLOWED_SECONDS, DENIED_SECONDS = 300.0, 30.0

_VERBS = {"POST": "create", "GET": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_SUBRESOURCES = {
    "stats": ("stats",),
    "metrics": ("metrics",),
    "logs": ("log",),
    "checkpoint": ("checkpoint",),
    "statusz": ("statusz",),
    "flagz": ("flagz",),
    "pods": ("pods", "proxy"),
    "runningpods": ("pods", "proxy"),
    "healthz": ("healthz", "proxy"),
    "configz": ("configz", "proxy"),
}


def verb_of(method: str) -> str:
    """ "" for the methods that the API does not have, as upstream."""
    return _VERBS.get(method, "")


def subresources_of(first: str) -> Sequence[str]:
    """Those of a Node that allow a request whose path begins with `first`, in the order of asking."""
    return _SUBRESOURCES.get(first, ("proxy",))


def forbidden(user: User, verb: str, subresources: Sequence[str]) -> HttpError:
    where = f"resource=nodes, subresource(s)=[{' '.join(subresources)}]"
    return HttpError(HTTPStatus.FORBIDDEN, f"Forbidden (user={user.name}, verb={verb}, {where})")


class Authorization:
    def __init__(self, client: Client, clock: Clock, *, node: str) -> None:
        self._client = client
        self._node = node
        self._known: Remembered[str, bool] = Remembered(clock)

    async def check(self, user: User, method: str, first: str) -> None:
        """Raises HttpError 403, or 500 when the API server does not say."""
        verb, subresources = verb_of(method), subresources_of(first)
        for subresource in subresources:
            if await self._allows(user, verb, subresource):
                return
        raise forbidden(user, verb, subresources)

    async def _allows(self, user: User, verb: str, subresource: str) -> bool:
        spec = self._asked(user, verb, subresource)
        key = json.dumps(spec, sort_keys=True)
        if key in self._known:
            return self._known[key]
        try:
            allowed = bool((await review(self._client, REVIEWS, spec)).get("allowed"))
        except NoReview as error:
            logger.warning("cannot ask the API server what %s may do: %s", user.name, error)
            where = f"resource=nodes, subresource={subresource}"
            text = f"Authorization error (user={user.name}, verb={verb}, {where})"
            raise HttpError(HTTPStatus.INTERNAL_SERVER_ERROR, text) from error
        self._known.keep(key, allowed, seconds=ALLOWED_SECONDS if allowed else DENIED_SECONDS)
        return allowed

    def _asked(self, user: User, verb: str, subresource: str) -> Object:
        return {
            "user": user.name,
            "groups": list(user.groups),
            "uid": user.uid,
            "extra": {name: list(values) for name, values in user.extra.items()},
            "resourceAttributes": {
                "verb": verb,
                "version": "v1",
                "resource": "nodes",
                "subresource": subresource,
                "name": self._node,
            },
        }
