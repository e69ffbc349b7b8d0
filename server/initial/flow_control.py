"""Keeps the flow schemas and priority levels that every cluster has.

Makes what is missing, and the specs what they should be, unless somebody has taken an object over by its
annotation. Mandatory ones nobody takes over.
"""

import asyncio
from contextlib import suppress

from kubeling.objects import meta
from kubeling.objects.errors import AlreadyExists, Conflict, NotFound
from kubeling.objects.meta import Object
from server.registry.context import SYSTEM, RequestContext
from server.registry.groups.flowcontrol.bootstrap import AUTOUPDATE, LEVELS, MANDATORY, SCHEMAS
from server.registry.registry import Registry

_GROUP = "flowcontrol.apiserver.k8s.io"


async def keep_flow_control(registry: Registry) -> None:
    """
    Raises:
        ApiError: the registry refused an object.
    """
    await asyncio.gather(*(_keep(registry, wanted) for wanted in (*LEVELS, *SCHEMAS)))


async def _keep(registry: Registry, wanted: Object) -> None:
    kind = registry.kinds.lookup_kind(_GROUP, "v1", wanted["kind"])
    assert kind is not None
    context, name = RequestContext(SYSTEM), meta.name(wanted)
    try:
        record = await registry.get(kind, "", name)
    except NotFound:
        with suppress(AlreadyExists):
            await registry.create(context, kind, "", {**wanted, "metadata": dict(wanted["metadata"])})
        return
    if record.obj.get("spec") == wanted["spec"] or not _is_ours(record.obj):
        return
    with suppress(NotFound, Conflict):
        await registry.update(context, kind, "", name, {**record.obj, "spec": wanted["spec"]})


def _is_ours(found: Object) -> bool:
    """Without an annotation, whether nobody has changed the spec since it was made.

    The share of what is exempt is all that can be changed of anything mandatory.
    """
    if meta.name(found) in MANDATORY[found["kind"]] and "exempt" not in found["spec"]:
        return True
    said = meta.annotations(found).get(AUTOUPDATE)
    return said == "true" if said is not None else meta.metadata(found).get("generation") == 1
