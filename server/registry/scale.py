"""The scale subresource: a Scale made from an object's replicas and selector, and written back to it."""

from collections.abc import Callable, Sequence
from typing import Any

from kubeling.objects import errors
from kubeling.objects.errors import BadRequest
from kubeling.objects.meta import Object
from server.registry.apply import check_type
from server.registry.causes import at_least
from server.registry.context import RequestContext
from server.registry.decoding import decoded_body
from server.registry.environment import Environment, unstored
from server.registry.kind import Kind
from server.registry.options import APPLY_PATCH, Patch
from server.registry.ownership import APPLY, owner_of, put
from server.registry.ownership_apply import Application, apply
from server.registry.ownership_scale import SCALE_API_VERSION, entries_of_object, entries_of_scale
from server.registry.ownership_writes import reset, track_update
from server.registry.patch import applied
from server.registry.results import UpdateResult
from server.registry.selectors import selector_text
from server.registry.update import ATTEMPTS, Wanted, write
from server.schema.apply.compare import plan_for
from server.schema.apply.elements import dotted
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
    if patch.content_type == APPLY_PATCH:
        return await _apply(env, context, kind, namespace, name, patch)
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
        obj = _scaled(kind, record, scale(record))
        scope = env.scope(context, kind)
        track_update(scope, record, obj, version=kind.version, subresource="scale")
        return obj

    return await _stored(env, context, kind, namespace, name, wanted=wanted, attempts=attempts)


def _scaled(kind: Kind, record: Record, scale: Object) -> Object:
    """The object with the replicas, and the condition on its resourceVersion, of a Scale."""
    obj = record.copy()
    replicas = (scale.get("spec") or {}).get("replicas", 0)
    if causes := at_least("spec.replicas", replicas):
        raise errors.invalid("Scale", record.name, causes, group="autoscaling")
    _put(obj, kind.scale_paths.spec, replicas)
    if version := (scale.get("metadata") or {}).get("resourceVersion"):
        obj["metadata"]["resourceVersion"] = version
    return obj


async def _stored(
    env: Environment,
    context: RequestContext,
    kind: Kind,
    namespace: str,
    name: str,
    *,
    wanted: Wanted,
    attempts: int = ATTEMPTS,
) -> UpdateResult:
    result = await write(
        env,
        context,
        kind,
        namespace,
        name,
        wanted=wanted,
        version=kind.version,
        attempts=attempts,
        owners_known=True,
    )
    return UpdateResult(scale_of(kind, result.record))


async def _apply(
    env: Environment, context: RequestContext, kind: Kind, namespace: str, name: str, patch: Patch
) -> UpdateResult:
    check_type(patch.body, SCALE_API_VERSION, "Scale")
    struct = struct_of("autoscaling", "v1", "Scale")
    path = dotted(*kind.scale_paths.spec)

    def wanted(record: Record) -> Object:
        live = _scale(kind, record.obj)
        entries = record.obj["metadata"].get("managedFields") or []
        live["metadata"]["managedFields"] = entries_of_scale(entries, path)
        applied = apply(
            Application(
                plan=plan_for(struct),
                go_type=True,
                live=live,
                config=patch.body,
                owner=owner_of(context, SCALE_API_VERSION, "scale", APPLY),
                force=patch.force,
                reset=reset(kind, "scale"),
                now=env.clock.now(),
            )
        )
        obj = _scaled(kind, record, applied.obj)
        api_version = kind.api_version(kind.version)
        put(obj, entries_of_object(entries, applied.entries, path, api_version))
        return obj

    return await _stored(env, context, kind, namespace, name, wanted=wanted)
