"""Fills Secrets of type service-account-token with a token, and removes them with their account.

The key is the Secret. Nobody makes such Secrets but users: pods' tokens come from TokenRequests.
"""

import base64
from contextlib import suppress

from kubeling.client import DONE, ControllerRunner, PermanentError, Result
from kubeling.client.protocol import Informer
from kubeling.client.resources import SECRETS, SERVICE_ACCOUNTS
from kubeling.objects import meta
from kubeling.objects.errors import Conflict, NotFound
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller, SignToken

ACCOUNT = "kubernetes.io/service-account.name"
ACCOUNT_UID = "kubernetes.io/service-account.uid"
_TYPE = "kubernetes.io/service-account-token"


def make(context: Context) -> Controller:
    secrets = context.client.informer(SECRETS, field_selector=f"type={_TYPE}")
    accounts = context.client.informer(SERVICE_ACCOUNTS)
    tokens = AccountTokens(context, secrets)
    runner = ControllerRunner("tokens-controller", tokens.reconcile, clock=context.clock, workers=2)
    runner.watches(secrets)

    def account_changed(kind: str, account: Object, before: Object | None) -> None:
        """An account that goes takes its tokens along, one that comes in its place its predecessor's."""
        if kind == "DELETED" or (before is not None and meta.uid(before) != meta.uid(account)):
            for secret in secrets.list(meta.namespace(account)):
                if meta.annotations(secret).get(ACCOUNT) == meta.name(account):
                    runner.queue.add(meta.key(secret))

    accounts.add_handler(account_changed)
    runner.reads(accounts)
    return runner


class AccountTokens:
    def __init__(self, context: Context, secrets: Informer) -> None:
        self._client = context.client
        self._sign = context.settings.sign_token
        self._authority = context.settings.certificate_authority
        self._secrets = secrets

    async def reconcile(self, key: str) -> Result:
        namespace, name = meta.split_key(key)
        secret = self._secrets.get(namespace, name)
        if secret is None:
            await self._drop_references(namespace, name)
        elif not meta.is_terminating(secret):
            account = await self._account(secret)
            if account is None:
                await self._delete(secret)
            else:
                await self._fill(secret, account)
        return DONE

    async def _account(self, secret: Object) -> Object | None:
        """The account that the Secret is for; None when that one is gone."""
        annotations = meta.annotations(secret)
        try:
            account = await self._client.get(
                SERVICE_ACCOUNTS, annotations.get(ACCOUNT, ""), namespace=meta.namespace(secret)
            )
        except NotFound:
            return None
        return account if annotations.get(ACCOUNT_UID) in (None, "", meta.uid(account)) else None

    async def _delete(self, secret: Object) -> None:
        with suppress(NotFound, Conflict):
            await self._client.delete(
                SECRETS,
                meta.name(secret),
                namespace=meta.namespace(secret),
                preconditions={"uid": meta.uid(secret)},
            )

    async def _fill(self, secret: Object, account: Object) -> None:
        held = secret.get("data") or {}
        data = {**held, **self._missing(secret, account, held)}
        if data == held:
            return
        annotations = {
            **meta.annotations(secret),
            ACCOUNT: meta.name(account),
            ACCOUNT_UID: meta.uid(account),
        }
        own = {**secret["metadata"], "annotations": annotations}
        with suppress(NotFound):
            await self._client.update(SECRETS, {**secret, "metadata": own, "data": data})

    def _missing(self, secret: Object, account: Object, held: dict[str, str]) -> dict[str, str]:
        fresh: dict[str, str] = {}
        authority = _encoded(self._authority)
        if authority and held.get("ca.crt") != authority:
            fresh["ca.crt"] = authority
        if not held.get("namespace"):
            fresh["namespace"] = _encoded(meta.namespace(secret))
        if not held.get("token"):
            fresh["token"] = _encoded(self._signed(account, meta.name(secret)))
        return fresh

    def _signed(self, account: Object, secret: str) -> str:
        sign: SignToken | None = self._sign
        if sign is None:
            raise PermanentError("there is no key to sign tokens with")
        return sign(account, secret)

    async def _drop_references(self, namespace: str, name: str) -> None:
        """No account is to list a Secret that is gone."""
        for account in (await self._client.list(SERVICE_ACCOUNTS, namespace=namespace)).items:
            listed = account.get("secrets") or []
            kept = [each for each in listed if each.get("name") != name]
            if len(kept) != len(listed):
                with suppress(NotFound):
                    await self._client.update(SERVICE_ACCOUNTS, {**account, "secrets": kept})


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
