"""ServiceAccounts: identities for pods."""

from datetime import datetime
from typing import Any

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.strategy import Strategy


class ServiceAccounts(Strategy):
    returns_deleted = True
    columns = columns(Column("Secrets", description="The number of secrets that the account may use."), AGE)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [meta.name(obj), len(obj.get("secrets") or []), object_age(obj, now)]
