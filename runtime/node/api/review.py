"""Asks the API server for a review, as long as upstream waits for one and no longer."""

import asyncio

from kubeling.client.errors import ConnectionLost
from kubeling.client.protocol import Client
from kubeling.client.resources import Resource
from kubeling.objects.errors import ApiError
from kubeling.objects.meta import Object

SECONDS = 10.0


class NoReview(Exception):
    """The API server does not answer, or refuses to."""


async def review(client: Client, resource: Resource, spec: Object) -> Object:
    """The status of the review. A connection that turns out to be dead is replaced once.

    Raises: NoReview.
    """
    asked = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {}, "spec": spec}
    try:
        async with asyncio.timeout(SECONDS):
            try:
                answer = await client.create(resource, asked)
            except ConnectionLost:
                answer = await client.create(resource, asked)
    except (ApiError, ConnectionLost, TimeoutError) as error:
        raise NoReview(str(error) or "no answer in time") from error
    return answer.get("status") or {}
