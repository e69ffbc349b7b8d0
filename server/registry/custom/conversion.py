"""Conversion webhooks: objects of a custom resource from one version to another, asked of somebody else.

What comes back is checked as upstream does: the right number, the right version and kind, the same object.
Of the metadata only labels and annotations are taken over.
"""

import uuid
from collections.abc import Sequence
from typing import Any, Protocol

from kubeling.objects import errors
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry import metadata
from server.webhooks.errors import WebhookError

SECONDS = 30
"""How long a webhook may take."""
_GROUP = "apiextensions.k8s.io"
_SPOKEN = ("v1", "v1beta1")


class Post(Protocol):
    """`server.webhooks.client.WebhookClient.post`."""

    async def __call__(self, config: Object, body: Any, *, seconds: int) -> Any: ...


class Refused(Exception):
    """The answer is not what it must be."""


class WebhookConverter:
    def __init__(self, webhook: Object, post: Post) -> None:
        """`webhook` is spec.conversion.webhook of a definition."""
        self._config: Object = webhook.get("clientConfig") or {}
        versions = webhook.get("conversionReviewVersions") or ()
        self._review = next((version for version in versions if version in _SPOKEN), "")
        self._post = post

    async def convert(self, objects: Sequence[Object], api_version: str) -> list[Object]:
        """The objects in another version; the given ones are not changed.

        Raises:
            ApiError: 500, with what the webhook or the way to it failed of.
        """
        subject = f"{objects[0]['apiVersion']}, Kind={objects[0]['kind']}"
        if not self._review:
            raise _failure("no supported conversion review versions")
        uid = str(uuid.uuid4())
        request = {"uid": uid, "desiredAPIVersion": api_version, "objects": list(objects)}
        review = {"kind": "ConversionReview", "apiVersion": f"{_GROUP}/{self._review}", "request": request}
        try:
            answer = await self._post(self._config, review, seconds=SECONDS)
            converted = _converted(answer, review=self._review, uid=uid)
        except (WebhookError, Refused) as error:
            raise _failure(f"conversion webhook for {subject} failed: {error}") from error
        if len(converted) != len(objects):
            counts = f"{len(converted)} objects, expected {len(objects)}"
            raise _failure(f"conversion webhook for {subject} returned {counts}")
        try:
            return [_checked(*pair, api_version) for pair in zip(objects, converted, strict=True)]
        except Refused as error:
            raise _failure(f"conversion webhook for {subject} returned {error}") from error


def _failure(text: str) -> errors.ApiError:
    return errors.ApiError(text, reason="")


def _converted(answer: Any, *, review: str, uid: str) -> list[Any]:
    """What a ConversionReview that came back holds."""
    given = answer if isinstance(answer, dict) else {}
    wanted = f"{_GROUP}/{review}, Kind=ConversionReview"
    found = f"{given.get('apiVersion', '')}, Kind={given.get('kind', '')}"
    if review == "v1" and found != wanted:
        raise Refused(f"expected webhook response of {wanted}, got {found}")
    response = given.get("response")
    if not isinstance(response, dict):
        raise Refused("no response provided")
    if review == "v1" and response.get("uid") != uid:
        raise Refused(f'expected response.uid="{uid}", got "{response.get("uid", "")}"')
    result = response.get("result") or {}
    if result.get("status") != "Success":
        raise Refused(
            result.get("message") or f"response.result.status was '{result.get('status', '')}', not 'Success'"
        )
    objects: list[Any] = response.get("convertedObjects") or []
    return objects


def _checked(original: Object, converted: Any, api_version: str) -> Object:
    """The converted object with the original's metadata."""
    if not isinstance(converted, dict):
        raise Refused("invalid object at index 0: it is no object")
    for name, what, wanted in (
        ("apiVersion", "groupVersion", api_version),
        ("kind", "kind", original["kind"]),
    ):
        found = converted.get(name, "")
        if found != wanted:
            raise Refused(f"invalid object at index 0: invalid {what} (expected {wanted}, received {found})")
    own = converted.get("metadata")
    for name, what in (("name", "name"), ("namespace", "namespace"), ("uid", "UID")):
        before, after = original["metadata"].get(name, ""), _text(own, name)
        if before != after:
            raise Refused(f"invalid object: must have the same {what}: {before} != {after}")
    if not isinstance(own, dict):
        raise Refused("invalid metadata: missing metadata in converted object")
    rest = {key: value for key, value in converted.items() if key not in ("kind", "apiVersion", "metadata")}
    kept = {**original["metadata"], **_checked_maps(original["metadata"], own)}
    kept = {key: value for key, value in kept.items() if value is not None}
    return {"kind": original["kind"], "apiVersion": api_version, "metadata": kept, **rest}


def _text(own: Any, name: str) -> Any:
    return own.get(name, "") if isinstance(own, dict) else ""


def _checked_maps(before: Object, own: Object) -> Object:
    """Labels and annotations as the webhook wants them; None for those that it drops."""
    found: Object = {}
    for name in ("labels", "annotations"):
        given = own.get(name)
        if given is None:
            found[name] = None
            continue
        if not isinstance(given, dict):
            raise Refused(f"invalid metadata: invalid metadata.{name} in converted object")
        for key, value in given.items():
            if not isinstance(value, str):
                raise Refused(
                    f"invalid metadata: metadata.{name}[{key}] must be a string in converted object"
                )
        if given != before.get(name) and (causes := _map_causes(name, given)):
            raise Refused(f"invalid metadata: {_aggregate(causes)}")
        found[name] = given
    return found


def _map_causes(name: str, given: dict[str, str]) -> list[Cause]:
    check = metadata.label_causes if name == "labels" else metadata.annotation_causes
    return check("metadata.labels" if name == "labels" else "metadata.annotation", given)


def _aggregate(causes: list[Cause]) -> str:
    texts = [f"{cause.field}: {cause.message}" for cause in causes]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
