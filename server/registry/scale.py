"""The scale subresource: a Scale made from an object's replicas and selector, and written back to it."""

from collections.abc import Callable, Sequence
from typing import Any

from kubeling.objects import errors
from kubeling.objects.errors import BadRequest
from kubeling.objects.meta import Object
from server.registry.causes import at_least
from server.registry.context import RequestContext
from server.registry.decoding import decoded_body
from server.registry.environment import Environment, unstored
from server.registry.kind import Kind
from server.registry.options import Patch
from server.registry.patch import applied
from server.registry.results import UpdateResult
from server.registry.selectors import selector_text
from server.registry.update import ATTEMPTS, write
from server.schema.types import struct_of
from server.storage import Record

_COPIED = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")


def scale_of(kind: Kind, record: Record) -> Record:
    """The Scale of an object, as a record of its own."""
    return unstored(kind, _scale(kind, record.obj))


def _scale(kind: Kind, obj: Object) -> Object:
    own, paths = obj["metadata"], kind.scale_paths
    replicas = _at(obj, paths.spec)
    if replicas is None and paths.required:
        field = f".{'.'.join(paths.spec)}"
        raise errors.InternalError(
            f'Internal error occurred: the spec replicas field "{field}" does not exist'
        )
    scale: Object = {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {name: own[name] for name in _COPIED if name in own},
        "spec": {"replicas": replicas} if replicas else {},
        "status": {"replicas": _at(obj, paths.status) or 0},
    }
    selector = _at(obj, paths.selector)
    if text := selector if isinstance(selector, str) else selector_text(selector):
        scale["status"]["selector"] = text
    return scale


def _at(obj: Object, path: Sequence[str]) -> Any:
    found: Any = obj if path else None
    for part in path:
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _put(obj: Object, path: Sequence[str], value: int) -> None:
    for part in path[:-1]:
        obj = obj.setdefault(part, {})
    obj[path[-1]] = value


async def update_scale(
    env: Environment, context: RequestContext, kind: Kind, namespace: str, name: str, obj: Object
) -> UpdateResult:
    scale = decoded_body(context, kind, kind.subresources["scale"], obj)
    if (scale.get("metadata") or {}).get("name", name) != name:
        raise BadRequest(f"the name of the object does not match the name on the URL ({name})")
    return await _write(env, context, kind, namespace, name, scale=lambda record: scale, attempts=ATTEMPTS)


async def patch_scale(
    env: Environment, context: RequestContext, kind: Kind, namespace: str, name: str, patch: Patch
) -> UpdateResult:
    struct = struct_of("autoscaling", "v1", "Scale")
    body = kind.subresources["scale"]

    def patched(record: Record) -> Object:
        return decoded_body(context, kind, body, applied(struct, _scale(kind, record.obj), patch))

    return await _write(env, context, kind, namespace, name, scale=patched, attempts=ATTEMPTS)


async def _write(
    env: Environment,
    context: RequestContext,
    kind: Kind,
    namespace: str,
    name: str,
    *,
    scale: Callable[[Record], Object],
    attempts: int,
) -> UpdateResult:
    def wanted(record: Record) -> Object:
        given, obj = scale(record), record.copy()
        replicas = (given.get("spec") or {}).get("replicas", 0)
        if causes := at_least("spec.replicas", replicas):
            raise errors.invalid("Scale", name, causes, group="autoscaling")
        _put(obj, kind.scale_paths.spec, replicas)
        if version := (given.get("metadata") or {}).get("resourceVersion"):
            obj["metadata"]["resourceVersion"] = version
        return obj

    result = await write(
        env,
        context,
        kind,
        namespace,
        name,
        wanted=wanted,
        version=kind.version,
        attempts=attempts,
    )
    return UpdateResult(scale_of(kind, result.record))
