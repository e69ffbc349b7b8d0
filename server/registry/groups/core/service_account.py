"""ServiceAccounts: identities for pods, and for whoever holds a token of one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.registry.columns import AGE, Column, columns, object_age
from server.registry.groups.core.token_request import request_token
from server.registry.strategy import Action, Strategy


class ServiceAccounts(Strategy):
    returns_deleted = True
    actions: ClassVar[Mapping[str, Action]] = {"token": request_token}
    columns = columns(Column("Secrets", description="The number of secrets that the account may use."), AGE)

    def cells(self, obj: Object, now: datetime) -> list[Any]:
        return [meta.name(obj), len(obj.get("secrets") or []), object_age(obj, now)]
