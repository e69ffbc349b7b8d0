"""The kinds of storagemigration.k8s.io. Objects are stored in one version only: nothing is migrated."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from kubeling.objects.names import label_1035_errors, subdomain_errors
from server.registry.causes import immutable, invalids, required
from server.registry.columns import NAME, Column
from server.registry.groups.subresources import status
from server.registry.kind import Kind
from server.registry.strategy import Strategy


class Migrations(Strategy):
    has_generation = True
    columns = (
        Column("Name", description=NAME.description),
        Column("Resource", description="Fully qualified resource to migrate"),
    )

    def validate(self, obj: Object) -> list[Cause]:
        target = (obj.get("spec") or {}).get("resource") or {}
        field, group, resource = "spec.resource", target.get("group") or "", target.get("resource") or ""
        causes = invalids(f"{field}.group", group, subdomain_errors(group)) if group else []
        if not resource:
            return [*causes, required(f"{field}.resource", "resource is required")]
        return causes + invalids(f"{field}.resource", resource, label_1035_errors(resource))

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return [] if obj.get("spec") == old.get("spec") else [immutable("spec", obj.get("spec"))]

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        target = (obj.get("spec") or {}).get("resource") or {}
        return [meta.name(obj), f"{target.get('resource', '')}.{target.get('group', '')}"]


KINDS = (
    Kind(
        "storagemigration.k8s.io",
        "StorageVersionMigration",
        "storageversionmigrations",
        Migrations(),
        namespaced=False,
        subresources=status("StorageVersionMigration"),
    ),
)
