"""POST serviceaccounts/token: a token for the account, bound, if so asked, to a Pod, Secret or Node."""

from datetime import timedelta
from typing import Any

from kubeling.objects import meta
from kubeling.objects.errors import BadRequest, Cause, GroupResource, NotFound, conflict, not_found
from kubeling.objects.errors import invalid as invalid_object
from kubeling.objects.meta import Object
from server.registry.causes import invalid
from server.registry.context import RequestContext
from server.registry.environment import Environment
from server.registry.kind import Kind
from server.storage import Record
from server.tokens.claims import Binding, Reference
from server.tokens.issuer import Issuer

_GROUP, _KIND, _API_VERSION = "authentication.k8s.io", "TokenRequest", "authentication.k8s.io/v1"
DEFAULT_SECONDS, SHORTEST, LONGEST = 3600, 600, 1 << 32
_BINDABLE = {"Pod": "pods", "Secret": "secrets", "Node": "nodes"}
_WEBHOOKS = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
_WEBHOOK_GATE = "APIServerWebhookAuthenticationToken"


async def request_token(
    env: Environment, context: RequestContext, kind: Kind, namespace: str, name: str, asked: Object
) -> Object:
    """
    Raises:
        NotFound: there is no such account or object, or nobody to sign tokens.
        Invalid, BadRequest: the request makes no sense.
        Conflict: the account or the object is another one of the same name.
    """
    issuer = env.settings.issuer
    if issuer is None:
        raise NotFound("the server could not find the requested resource", details={})
    request = {"kind": _KIND, "apiVersion": _API_VERSION, **asked}
    own, spec = _section(request, "metadata"), _section(request, "spec")
    _check_identity(own, namespace, name)
    account = _found(env, "serviceaccounts", namespace, name)
    _check_account(own, account)
    _complete(own, spec, account, issuer, env)
    binding = _binding(env, namespace, name, spec.get("boundObjectRef"))
    return _issued(env, issuer, account, request, binding)


def _section(request: Object, name: str) -> dict[str, Any]:
    section: dict[str, Any] = dict(request.get(name) or {})
    request[name] = section
    return section


def _check_identity(own: Object, namespace: str, name: str) -> None:
    for field, wanted, what in (("name", name, "name"), ("namespace", namespace, "namespace")):
        found = own.get(field)
        if found and found != wanted:
            why = f"must match the service account {what} if specified"
            raise _invalid(name, [invalid(f"metadata.{field}", found, why)])


def _invalid(name: str, causes: list[Cause]) -> Exception:
    return invalid_object(_KIND, name, causes, group=_GROUP)


def _check_account(own: Object, account: Record) -> None:
    uid = own.get("uid")
    if uid and uid != account.uid:
        why = (
            f"the UID in the token request ({uid}) does not match the UID of the service account"
            f" ({account.uid})"
        )
        raise conflict(GroupResource(_GROUP, _KIND), account.name, why)


def _complete(own: Object, spec: Object, account: Record, issuer: Issuer, env: Environment) -> None:
    """Fill in what was not said, and refuse what makes no sense."""
    own |= {"name": account.name, "namespace": account.namespace, "uid": account.uid}
    own["creationTimestamp"] = meta.timestamp(env.clock.now())
    if not spec.get("audiences"):
        spec["audiences"] = list(issuer.audiences)
    if spec.get("expirationSeconds") is None:
        spec["expirationSeconds"] = DEFAULT_SECONDS
    causes = _causes(spec)
    if causes:
        raise _invalid("", causes)


def _causes(spec: Object) -> list[Cause]:
    seconds, path = spec["expirationSeconds"], "spec.expirationSeconds"
    causes = []
    if seconds < SHORTEST:
        causes.append(invalid(path, seconds, "may not specify a duration less than 10 minutes"))
    if seconds > LONGEST:
        causes.append(invalid(path, seconds, "may not specify a duration larger than 2^32 seconds"))
    attestations = spec.get("attestations")
    if attestations and (spec.get("boundObjectRef") or {}).get("kind") not in _WEBHOOKS:
        why = "attestations may only be specified with a webhook bound object reference"
        return [invalid("spec.attestations", attestations, why)]
    return causes


def _binding(env: Environment, namespace: str, account: str, wanted: Object | None) -> Binding:
    if wanted is None:
        return Binding()
    group, _, version = (wanted.get("apiVersion") or "").rpartition("/")
    kind, name = wanted.get("kind") or "", wanted.get("name") or ""
    if group or kind not in _BINDABLE:
        raise _unbindable(group, version, kind)
    record = _found(env, _BINDABLE[kind], "" if kind == "Node" else namespace, name)
    binding = _bound_to(env, kind, account, record)
    uid = wanted.get("uid")
    if uid and uid != record.uid:
        why = (
            f"the UID in the bound object reference ({uid}) does not match the UID in record."
            " The object might have been deleted and then recreated"
        )
        raise conflict(GroupResource("", kind), name, why)
    return binding


def _unbindable(group: str, version: str, kind: str) -> BadRequest:
    gate = f" (feature gate {_WEBHOOK_GATE} is disabled)" if kind in _WEBHOOKS and group else ""
    return BadRequest(f"cannot bind token to object of type {group}/{version}, Kind={kind}{gate}")


def _found(env: Environment, plural: str, namespace: str, name: str) -> Record:
    record = env.store.get(plural, namespace, name)
    if record is None:
        raise not_found(GroupResource("", plural), name)
    return record


def _bound_to(env: Environment, kind: str, account: str, record: Record) -> Binding:
    reference = Reference(record.name, record.uid)
    if kind == "Secret":
        return Binding(secret=reference)
    if kind == "Node":
        return Binding(node=reference)
    spec = record.obj.get("spec") or {}
    if spec.get("serviceAccountName") != account:
        raise BadRequest(
            f'cannot bind token for serviceaccount "{account}" to pod running with different'
            " serviceaccount name."
        )
    return Binding(pod=reference, node=_node(env, spec.get("nodeName") or ""))


def _node(env: Environment, name: str) -> Reference | None:
    """The pod's node, by its name alone when there is no such node."""
    if not name:
        return None
    record = env.store.get("nodes", "", name)
    return Reference(name, record.uid if record is not None else "")


def _issued(env: Environment, issuer: Issuer, account: Record, request: Object, binding: Binding) -> Object:
    spec, now = request["spec"], env.clock.now()
    seconds: int = spec["expirationSeconds"]
    token = issuer.issue(
        namespace=account.namespace,
        account=Reference(account.name, account.uid),
        audiences=spec["audiences"],
        binding=binding,
        life=issuer.life(seconds, audiences=spec["audiences"], binding=binding),
        now=now,
    )
    expires = meta.timestamp(now + timedelta(seconds=seconds))
    return {**request, "status": {"token": token, "expirationTimestamp": expires}}
