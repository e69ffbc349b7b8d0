"""Approves the requests of nodes' agents for their client certificates, when those who ask may do so.

The key is the request. Whether they may is asked as a SubjectAccessReview. All else is for people to approve.
"""

from collections.abc import Callable

from kubeling.client import DONE, ControllerRunner, Result, TemporaryError
from kubeling.client.resources import CERTIFICATE_SIGNING_REQUESTS, SUBJECT_ACCESS_REVIEWS
from kubeling.objects import certificate_requests, conditions
from kubeling.objects.certificate_requests import KUBELET_CLIENT, RequestError
from kubeling.objects.errors import NotFound
from kubeling.objects.meta import Object
from server.controllers.context import Context, Controller

_MESSAGES = {
    "selfnodeclient": "Auto approving self kubelet client certificate after SubjectAccessReview.",
    "nodeclient": "Auto approving kubelet client certificate after SubjectAccessReview.",
}
RETRY = 30.0


def make(context: Context) -> Controller:
    requests = context.client.informer(CERTIFICATE_SIGNING_REQUESTS)
    approval = CertificateApproval(context, lambda name: requests.get("", name))
    runner = ControllerRunner("csrapproving-controller", approval.reconcile, clock=context.clock)
    runner.watches(requests)
    return runner


class CertificateApproval:
    def __init__(self, context: Context, find: Callable[[str], Object | None]) -> None:
        self._client = context.client
        self._find = find

    async def reconcile(self, name: str) -> Result:
        request = self._find(name)
        if request is None or _is_settled(request):
            return DONE
        rights = _rights(request)
        for right in rights:
            if await self._may(request, right):
                await self._approve(request, _MESSAGES[right])
                return DONE
        if rights:
            why = f"recognized csr {name} as {rights} but subject access review was not approved"
            raise TemporaryError(why, delay=RETRY)
        return DONE

    async def _may(self, request: Object, right: str) -> bool:
        spec = request["spec"]
        asked = {
            "user": spec.get("username", ""),
            "uid": spec.get("uid", ""),
            "groups": spec.get("groups") or [],
            "extra": spec.get("extra") or {},
            "resourceAttributes": {
                "group": "certificates.k8s.io",
                "resource": "certificatesigningrequests",
                "subresource": right,
                "verb": "create",
            },
        }
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "metadata": {},
            "spec": asked,
        }
        answer = await self._client.create(SUBJECT_ACCESS_REVIEWS, review)
        return bool(answer["status"].get("allowed"))

    async def _approve(self, request: Object, message: str) -> None:
        approved = {"type": "Approved", "status": "True", "reason": "AutoApproved", "message": message}
        status = request.get("status") or {}
        found = [*(status.get("conditions") or []), approved]
        fresh = {**request, "status": {**status, "conditions": found}}
        try:
            await self._client.update(CERTIFICATE_SIGNING_REQUESTS, fresh, subresource="approval")
        except NotFound:
            return


def _is_settled(request: Object) -> bool:
    decided = any(conditions.find(request, kind) for kind in ("Approved", "Denied"))
    return decided or bool((request.get("status") or {}).get("certificate"))


def _rights(request: Object) -> list[str]:
    """What the user must have the right to, one of them, for the request to be approved; none for others."""
    spec = request.get("spec") or {}
    if spec.get("signerName") != KUBELET_CLIENT:
        return []
    try:
        parsed = certificate_requests.parse(spec.get("request") or "")
    except RequestError:
        return []
    if certificate_requests.kubelet_client_problem(parsed, spec.get("usages") or []):
        return []
    own = spec.get("username") == certificate_requests.common_name(parsed)
    return ["selfnodeclient", "nodeclient"] if own else ["nodeclient"]
