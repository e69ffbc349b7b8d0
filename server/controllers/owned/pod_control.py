"""Making pods from a template and deleting them, each with the event that upstream's controllers record."""

import copy
from collections.abc import Mapping
from typing import Any

from kubeling.client import Client, EventRecorder
from kubeling.client.resources import PODS
from kubeling.objects import meta
from kubeling.objects.errors import ApiError, NotFound
from kubeling.objects.meta import Object

CREATED, CREATION_FAILED = "SuccessfulCreate", "FailedCreate"
DELETED, DELETION_FAILED = "SuccessfulDelete", "FailedDelete"


def pod_from_template(template: Mapping[str, Any], owner: Object, reference: Object) -> Object:
    """A pod named `<owner>-<random>`, with the template's labels, annotations and finalizers."""
    given = template.get("metadata") or {}
    metadata: Object = {
        name: copy.deepcopy(given[name])
        for name in ("labels", "annotations", "finalizers")
        if given.get(name)
    }
    metadata |= {
        "namespace": meta.namespace(owner),
        "generateName": f"{meta.name(owner)}-",
        "ownerReferences": [reference],
    }
    spec = copy.deepcopy(template.get("spec") or {})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


class PodControl:
    def __init__(self, client: Client, recorder: EventRecorder) -> None:
        self._client = client
        self._recorder = recorder

    async def create(self, pod: Object, owner: Object) -> Object:
        """Raises: ApiError, after a FailedCreate event - none where the namespace is going away."""
        try:
            made = await self._client.create(PODS, pod)
        except ApiError as error:
            if not namespace_terminates(error):
                self._recorder.event(owner, "Warning", CREATION_FAILED, f"Error creating: {error}")
            raise
        self._recorder.event(owner, "Normal", CREATED, f"Created pod: {meta.name(made)}")
        return made

    async def delete(self, pod: Object, owner: Object) -> None:
        """Ask for deletion, in the pod's own grace period.

        Raises: NotFound; ApiError after a FailedDelete event.
        """
        try:
            await self._client.delete(
                PODS,
                meta.name(pod),
                namespace=meta.namespace(pod),
                preconditions={"uid": meta.uid(pod)},
            )
        except NotFound:
            raise
        except ApiError as error:
            self._recorder.event(owner, "Warning", DELETION_FAILED, f"Error deleting: {error}")
            raise
        self._recorder.event(owner, "Normal", DELETED, f"Deleted pod: {meta.name(pod)}")


def namespace_terminates(error: ApiError) -> bool:
    """Whether a creation was refused because the namespace is being deleted: no fault of the owner's."""
    details = error.status().get("details") or {}
    return any(cause.get("reason") == "NamespaceTerminating" for cause in details.get("causes") or ())
