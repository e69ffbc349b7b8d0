"""Brings the default roles and bindings about at each start, and back what is missing of them.

Upstream's rules: nothing that was added is taken away; what carries the annotation autoupdate "false" is left
alone; a binding to another role than it should be is made anew.
"""

import asyncio
from collections.abc import Mapping

from kubeling.objects.errors import AlreadyExists, Conflict, NotFound
from kubeling.objects.meta import Object
from server.auth.policy.defaults import AUTO_UPDATE, GROUP, Default, defaults
from server.auth.rules import missing
from server.registry.context import SYSTEM, RequestContext
from server.registry.kind import Kind
from server.registry.registry import Registry

FIELD_MANAGER = "kube-apiserver"
ATTEMPTS = 3
"""How often another server's write of the same object is made way for."""


async def reconcile(registry: Registry) -> None:
    """Make or mend all of them: the roles side by side, so that they share a transaction, then the bindings.

    Raises:
        ApiError: the registry refused one.
    """
    for plurals in (("clusterroles", "roles"), ("clusterrolebindings", "rolebindings")):
        await asyncio.gather(*(_ensure(registry, each) for each in defaults() if each.plural in plurals))


async def _ensure(registry: Registry, default: Default) -> None:
    kind = registry.kinds.lookup(GROUP, "v1", default.plural)
    assert kind is not None
    for _ in range(ATTEMPTS):
        try:
            await _attempt(registry, kind, default)
        except (AlreadyExists, Conflict, NotFound):
            continue
        return


async def _attempt(registry: Registry, kind: Kind, default: Default) -> None:
    try:
        found = (await registry.get(kind, default.namespace, default.name)).copy()
    except NotFound:
        await registry.create(_context(), kind, default.namespace, default.obj)
        return
    if (found["metadata"].get("annotations") or {}).get(AUTO_UPDATE) == "false":
        return
    if "roleRef" in found and _role(found) != _role(default.obj):
        await registry.delete(_context(), kind, default.namespace, default.name)
        await registry.create(_context(), kind, default.namespace, default.obj | _kept(found, default.obj))
    elif (mended := _mended(found, default.obj)) != found:
        await registry.update(_context(), kind, default.namespace, default.name, mended)


def _context() -> RequestContext:
    return RequestContext(SYSTEM, field_manager=FIELD_MANAGER)


def _role(binding: Object) -> tuple[str, str]:
    role = binding.get("roleRef") or {}
    return role.get("kind", ""), role.get("name", "")


def _kept(found: Object, wanted: Object) -> Object:
    """What of a binding outlives its being made anew: labels, annotations and subjects that were added."""
    mended = _mended(found, wanted)
    metadata = {key: mended["metadata"][key] for key in ("labels", "annotations")}
    kept: Object = {"metadata": wanted["metadata"] | metadata}
    return kept | ({"subjects": mended["subjects"]} if mended.get("subjects") else {})


def _mended(found: Object, wanted: Object) -> Object:
    """The stored object with what it lacks."""
    metadata = dict(found["metadata"])
    for key in ("labels", "annotations"):
        metadata[key] = {**wanted["metadata"].get(key, {}), **(metadata.get(key) or {})}
    mended = found | {"metadata": metadata}
    if lacking := missing(found.get("rules") or (), wanted.get("rules") or ()):
        mended["rules"] = [*(found.get("rules") or ()), *lacking]
    if lacking := [
        each for each in wanted.get("subjects") or () if each not in (found.get("subjects") or ())
    ]:
        mended["subjects"] = [*(found.get("subjects") or ()), *lacking]
    return mended | _aggregation(found, wanted)


def _aggregation(found: Object, wanted: Object) -> Object:
    rule: Mapping[str, list[Object]] = wanted.get("aggregationRule") or {}
    known = (found.get("aggregationRule") or {}).get("clusterRoleSelectors") or []
    lacking = [each for each in rule.get("clusterRoleSelectors") or () if each not in known]
    return {"aggregationRule": {"clusterRoleSelectors": [*known, *lacking]}} if lacking else {}
