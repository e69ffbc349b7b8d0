"""Says in each FlowSchema's status whether the priority level that it names exists. The key is the schema."""

from contextlib import suppress

from kubeling.client import DONE, ControllerRunner, Informer, Result
from kubeling.client.resources import Resource
from kubeling.objects import conditions, meta
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller

_GROUP = "flowcontrol.apiserver.k8s.io"
SCHEMAS = Resource(_GROUP, "v1", "flowschemas", "FlowSchema", namespaced=False)
LEVELS = Resource(_GROUP, "v1", "prioritylevelconfigurations", "PriorityLevelConfiguration", namespaced=False)


def make(context: Context) -> Controller:
    schemas: Informer = context.client.informer(SCHEMAS)
    levels: Informer = context.client.informer(LEVELS)

    async def reconcile(name: str) -> Result:
        found = schemas.get("", name)
        if found is None:
            return DONE
        level = _level_of(found)
        exists = levels.get("", level) is not None
        status, reason, how = ("False", "Found", "and it exists") if exists else _MISSING
        text = f'This FlowSchema references the PriorityLevelConfiguration object named "{level}" {how}'
        now = context.clock.now()
        fresh = {**found, "status": {"conditions": [dict(c) for c in _conditions(found)]}}
        if conditions.set_condition(fresh, "Dangling", status, reason=reason, message=text, now=now):
            with suppress(NotFound):
                await context.client.update(SCHEMAS, fresh, subresource="status")
        return DONE

    runner = ControllerRunner("flow-schema-controller", reconcile, clock=context.clock)
    runner.watches(schemas, meta.name)
    runner.reads(levels)

    def changed(kind: str, level: Object, old: Object | None) -> None:
        for each in schemas.list():
            if kind != "MODIFIED" and _level_of(each) == meta.name(level):
                runner.queue.add(meta.name(each))

    levels.add_handler(changed)
    return runner


_MISSING = ("True", "NotFound", "but there is no such object")


def _conditions(found: Object) -> list[Object]:
    return (found.get("status") or {}).get("conditions") or []


def _level_of(schema: Object) -> str:
    return str(((schema.get("spec") or {}).get("priorityLevelConfiguration") or {}).get("name", ""))
