"""Signs approved CertificateSigningRequests for Kubernetes' own signers. The key is the request.

approved ── fits its signer ──> status.certificate
    └────── does not fit ─────> condition Failed
"""

import base64
from collections.abc import Callable
from typing import Any

from kubeling.client import DONE, ControllerRunner, Result
from kubeling.client.resources import CERTIFICATE_SIGNING_REQUESTS
from kubeling.objects import certificate_requests, conditions, meta
from kubeling.objects.certificate_requests import PROBLEMS, RequestError
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object
from server.controllers.certificate_authority import CertificateAuthority, UsageError
from server.controllers.context import Context, Controller

DAYS = 365
SHORTEST_SECONDS = 600


def make(context: Context) -> Controller:
    requests = context.client.informer(CERTIFICATE_SIGNING_REQUESTS)
    signing = CertificateSigning(context, lambda name: requests.get("", name))
    runner = ControllerRunner("csrsigning-controller", signing.reconcile, clock=context.clock)
    runner.watches(requests)
    return runner


class CertificateSigning:
    def __init__(self, context: Context, find: Callable[[str], Object | None]) -> None:
        self._client = context.client
        self._clock = context.clock
        self._find = find
        key = context.settings.certificate_authority_key
        self._authority = CertificateAuthority(context.settings.certificate_authority, key) if key else None

    async def reconcile(self, name: str) -> Result:
        request = self._find(name)
        if self._authority is None or request is None or not _to_be_signed(request):
            return DONE
        spec = request["spec"]
        parsed = certificate_requests.parse(spec["request"])
        problem = PROBLEMS[spec["signerName"]](parsed, spec.get("usages") or [])
        if problem:
            await self._fail(request, problem)
            return DONE
        try:
            signed = self._authority.sign(
                parsed, usages=spec.get("usages") or [], seconds=_life(spec), now=self._clock.now()
            )
        except UsageError as error:
            await self._fail(request, str(error))
            return DONE
        await self._write(request, {"certificate": base64.b64encode(signed).decode()})
        return DONE

    async def _fail(self, request: Object, why: str) -> None:
        failed = {
            "type": "Failed",
            "status": "True",
            "reason": "SignerValidationFailure",
            "message": why,
            "lastUpdateTime": meta.timestamp(self._clock.now()),
        }
        await self._write(request, {"conditions": [*request["status"]["conditions"], failed]})

    async def _write(self, request: Object, change: dict[str, Any]) -> None:
        status = {**request["status"], **change}
        try:
            await self._client.update(
                CERTIFICATE_SIGNING_REQUESTS, {**request, "status": status}, subresource="status"
            )
        except NotFound:
            return


def _to_be_signed(request: Object) -> bool:
    spec, status = request.get("spec") or {}, request.get("status") or {}
    if status.get("certificate") or spec.get("signerName") not in PROBLEMS:
        return False
    approved, denied, failed = (
        conditions.is_true(request, each) for each in ("Approved", "Denied", "Failed")
    )
    if not approved or denied or failed:
        return False
    try:
        certificate_requests.parse(spec.get("request") or "")
    except RequestError:
        return False
    return True


def _life(spec: Object) -> int:
    """Seconds, at most a year and at least ten minutes."""
    asked, longest = spec.get("expirationSeconds"), DAYS * 24 * 3600
    return longest if asked is None else min(max(int(asked), SHORTEST_SECONDS), longest)
