"""POST pods/binding: the scheduler's decision, which sets spec.nodeName once."""

from kubeling.objects import conditions, errors
from kubeling.objects.errors import GroupResource
from kubeling.objects.meta import Object
from server.registry.causes import not_supported, required
from server.registry.context import RequestContext
from server.registry.environment import Environment
from server.registry.kind import Kind
from server.registry.update import write
from server.storage import Record

_BINDING = GroupResource("", "pods/binding")
SUCCESS: Object = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


async def bind(
    env: Environment, context: RequestContext, kind: Kind, namespace: str, name: str, binding: Object
) -> Object:
    """
    Raises:
        BadRequest: no pod is named.
        Invalid: the target is not a node.
        Conflict: the pod is bound already, is being deleted, or has scheduling gates.
    """
    if not name:
        raise errors.BadRequest("Name parameter required.")
    target = binding.get("target") or {}
    _check_target(name, target)
    own = binding.get("metadata") or {}

    def wanted(record: Record) -> Object:
        _check_pod(record, own)
        obj = _copy(record.obj)
        obj["spec"]["nodeName"] = target["name"]
        obj["metadata"].update(_merged_metadata(obj["metadata"], own))
        now = env.clock.now()
        conditions.set_condition(obj, "PodScheduled", "True", now=now)
        obj["status"].pop("nominatedNodeName", None)  # it has what it was waiting for
        return obj

    await write(
        env,
        context,
        kind,
        namespace,
        name,
        wanted=wanted,
        version=kind.version,
        subresource="binding",
        attempts=10,
    )
    return SUCCESS


def _copy(obj: Object) -> Object:
    """As deep as it is changed: parsing it again would be a good part of a binding's work."""
    status = obj.get("status") or {}
    held = [dict(condition) for condition in status.get("conditions") or ()]
    return {
        **obj,
        "metadata": dict(obj["metadata"]),
        "spec": dict(obj["spec"]),
        "status": {**status, "conditions": held},
    }


def _check_target(name: str, target: Object) -> None:
    causes = []
    if target.get("kind") not in (None, "", "Node"):
        causes.append(not_supported("target.kind", target["kind"], ("Node", "<empty>")))
    if not target.get("name"):
        causes.append(required("target.name"))
    if causes:
        raise errors.invalid("Binding", name, causes)


def _check_pod(record: Record, own: Object) -> None:
    obj, name = record.obj, record.name
    if own.get("uid") not in (None, "", record.uid):
        why = f"Precondition failed: UID in precondition: {own['uid']}, UID in object meta: {record.uid}"
        raise errors.conflict(_BINDING, name, why)
    if obj["metadata"].get("deletionTimestamp"):
        raise errors.conflict(_BINDING, name, f"pod {name} is being deleted, cannot be assigned to a host")
    if node := obj["spec"].get("nodeName"):
        raise errors.conflict(_BINDING, name, f'pod {name} is already assigned to node "{node}"')
    if obj["spec"].get("schedulingGates"):
        raise errors.conflict(_BINDING, name, f"pod {name} has non-empty .spec.schedulingGates")


def _merged_metadata(existing: Object, given: Object) -> Object:
    """A binding may bring annotations and labels along."""
    return {
        field: {**(existing.get(field) or {}), **given[field]}
        for field in ("annotations", "labels")
        if given.get(field)
    }
