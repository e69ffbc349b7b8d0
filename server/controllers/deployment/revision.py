"""The ReplicaSet of a Deployment's current template, and its number among all that there have been."""

from collections.abc import Mapping

from kubeling.client import Informer
from kubeling.client.resources import DEPLOYMENTS, REPLICA_SETS
from kubeling.objects import meta
from kubeling.objects.errors import AlreadyExists, ApiError
from kubeling.objects.meta import Object
from server.controllers.deployment import progress
from server.controllers.deployment.bounds import is_rolling, most_pods, wanted
from server.controllers.deployment.conditions import PROGRESSING, condition, find, put
from server.controllers.deployment.replica_sets import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    REVISION,
    REVISION_HISTORY,
    TEMPLATE_HASH,
    is_same_template,
    number,
    revision,
    size,
    total_size,
)
from server.controllers.deployment.rollout import Rollout, size_annotations
from server.controllers.owned.ownership import owner_reference
from server.controllers.owned.pod_control import namespace_terminates
from server.controllers.owned.template_hash import template_hash

_OWN_ANNOTATIONS = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "deprecated.deployment.rollback.to",
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        MAX_REPLICAS,
    }
)
"""Of a Deployment's annotations those that its ReplicaSets do not get."""
_LONGEST_HISTORY = 2000
"""Characters of the annotation that lists a ReplicaSet's earlier revisions."""
_LONGEST_NAME = 253


async def sync_revision(rollout: Rollout) -> None:
    """If the ReplicaSet is there: it has the highest revision and the Deployment's annotations, which in turn
    names its revision."""
    new = rollout.new
    if new is None:
        return
    deployment = rollout.deployment
    annotations = _annotations(deployment, meta.annotations(new), _next_revision(rollout))
    least = deployment["spec"].get("minReadySeconds", 0)
    if annotations != meta.annotations(new) or least != new["spec"].get("minReadySeconds", 0):
        metadata = {**new["metadata"], "annotations": annotations}
        spec = {**new["spec"], "minReadySeconds": least}
        new = await rollout.client.update(REPLICA_SETS, {**new, "metadata": metadata, "spec": spec})
        rollout.took_over(new)
    rollout.revision = meta.annotations(new).get(REVISION)
    if progress.has_deadline(deployment) and find(rollout.status, PROGRESSING) is None:
        _tell(rollout, "True", progress.FOUND, f'Found new replica set "{meta.name(new)}"')


async def ensure_new(rollout: Rollout, known: Informer) -> Object:
    """Make the ReplicaSet if it is not there; `known` has all ReplicaSets.

    Raises:
        AlreadyExists: another one has its name. It is tried again with another hash.
        ApiError: it was refused, which the Deployment tells.
    """
    if rollout.new is not None:
        return rollout.new
    wanted_set = _made_of(rollout)
    number_of_pods = size(wanted_set)
    try:
        made = await rollout.client.create(REPLICA_SETS, wanted_set)
    except AlreadyExists:
        made = await _found_instead(rollout, wanted_set, known)
    except ApiError as error:
        await _tell_refusal(rollout, wanted_set, error)
        raise
    else:
        if number_of_pods > 0:
            rollout.tell_scaled(made, 0, number_of_pods)
        if progress.has_deadline(rollout.deployment):
            _tell(rollout, "True", progress.CREATED, f'Created new replica set "{meta.name(made)}"')
    rollout.took_over(made)
    rollout.new_name = meta.name(made)
    rollout.revision = meta.annotations(made).get(REVISION)
    return made


def size_of_new(rollout: Rollout, now: int) -> int:
    """How many pods the ReplicaSet may have, which has `now`, while the others are as large as they are."""
    deployment = rollout.deployment
    if not is_rolling(deployment):
        return wanted(deployment)
    room = most_pods(deployment) - total_size(rollout.old) - now
    return now + min(room, wanted(deployment) - now) if room > 0 else now


def _made_of(rollout: Rollout) -> Object:
    deployment = rollout.deployment
    spec = deployment["spec"]
    name_hash = template_hash(spec["template"], rollout.status.get("collisionCount"))
    own = spec["template"].get("metadata") or {}
    labels = {**(own.get("labels") or {}), TEMPLATE_HASH: name_hash}
    selector = spec["selector"]
    matching = {**(selector.get("matchLabels") or {}), TEMPLATE_HASH: name_hash}
    return {
        "apiVersion": REPLICA_SETS.api_version,
        "kind": REPLICA_SETS.kind,
        "metadata": {
            "name": f"{meta.name(deployment)[: _LONGEST_NAME - len(name_hash) - 1]}-{name_hash}",
            "namespace": meta.namespace(deployment),
            "labels": labels,
            "annotations": _annotations(deployment, {}, _next_revision(rollout))
            | size_annotations(deployment),
            "ownerReferences": [owner_reference(deployment, DEPLOYMENTS)],
        },
        "spec": {
            "replicas": size_of_new(rollout, 0),
            "minReadySeconds": spec.get("minReadySeconds", 0),
            "selector": {**selector, "matchLabels": matching},
            "template": {**spec["template"], "metadata": {**own, "labels": labels}},
        },
    }


def _next_revision(rollout: Rollout) -> int:
    return max(map(revision, rollout.old), default=0) + 1


def _annotations(deployment: Object, before: Mapping[str, str], following: int) -> dict[str, str]:
    """The ReplicaSet's: those of its Deployment, its revision, and the revisions that it has had before."""
    given = meta.annotations(deployment)
    annotations = dict(before) | {k: v for k, v in given.items() if k not in _OWN_ANNOTATIONS}
    earlier = number({"metadata": {"annotations": before}}, REVISION)
    if earlier is None and before.get(REVISION):
        return annotations  # somebody's, and no number: it stays
    if (earlier or 0) >= following:
        return annotations
    annotations[REVISION] = str(following)
    if earlier is not None:
        annotations[REVISION_HISTORY] = history_of(before.get(REVISION_HISTORY, ""), before[REVISION])
    return annotations


def history_of(listed: str, added: str) -> str:
    """The revisions with one more; the earliest are left out where they are too many."""
    revisions = [*filter(None, listed.split(",")), added]
    while len(",".join(revisions)) > _LONGEST_HISTORY:
        revisions.pop(0)
    return ",".join(revisions)


async def _found_instead(rollout: Rollout, wanted_set: Object, known: Informer) -> Object:
    """The one that has the name already, if it is ours after all: the cache was behind. Otherwise two
    templates have the same hash: count that, so that the next attempt has another one."""
    found = known.get(meta.namespace(wanted_set), meta.name(wanted_set))
    name = f'replicasets.apps "{meta.name(wanted_set)}" already exists'
    if found is None:
        raise AlreadyExists(name)
    owner = meta.controller_of(found)
    ours = owner is not None and owner.get("uid") == meta.uid(rollout.deployment)
    if ours and is_same_template(found["spec"]["template"], rollout.deployment["spec"]["template"]):
        return found
    rollout.status["collisionCount"] = rollout.status.get("collisionCount", 0) + 1
    await rollout.write()
    raise AlreadyExists(name)


async def _tell_refusal(rollout: Rollout, wanted_set: Object, error: ApiError) -> None:
    if namespace_terminates(error):
        return
    why = f'Failed to create new replica set "{meta.name(wanted_set)}": {error}'
    rollout.recorder.event(rollout.deployment, "Warning", progress.CREATION_FAILED, why)
    if progress.has_deadline(rollout.deployment):
        _tell(rollout, "False", progress.CREATION_FAILED, why)
        await rollout.write()


def _tell(rollout: Rollout, status: str, why: str, message: str) -> None:
    put(rollout.status, condition(PROGRESSING, status, why, message, now=rollout.now))
