"""A client for tests: a small API server in memory, with resourceVersions, watches and informers.

It knows what controllers rely on - compare-and-swap, status and binding, finalizers, graceful deletion of
bound pods - and nothing of validation, defaults or permissions. `requests` records what was asked.
"""

import copy
import itertools
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

import jsonpatch

from kubeling.client.discovery import preferred
from kubeling.client.fake_watch import FakeHub
from kubeling.client.informer import CachedInformer
from kubeling.client.informers import Informers
from kubeling.client.protocol import (
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_PATCH,
    Discovery,
    Informer,
    Listing,
    WatchEvent,
)
from kubeling.client.resources import NAMESPACES, PODS, Resource
from kubeling.client.selection import selection
from kubeling.objects import errors, meta
from kubeling.objects.clock import Clock, FakeClock
from kubeling.objects.meta import Object


class Request(NamedTuple):
    """What a test sees of a request; `body` is the object, patch or delete options."""

    verb: str
    resource: Resource
    namespace: str
    name: str
    subresource: str = ""
    body: Any = None


@dataclass
class _Failure:
    verb: str
    resource: Resource | None
    error: Exception
    times: int = field(default=1)


class FakeClient:
    """Implements `Client`. Objects go in and come out as copies."""

    def __init__(
        self, *objects: Object, clock: Clock | None = None, resources: Sequence[Resource] = ()
    ) -> None:
        self.requests: list[Request] = []
        self.clock = clock or FakeClock()
        self.served = list(resources)
        self.undiscovered: dict[str, str] = {}
        """Why nothing is known of a `group/version`, for tests to say."""
        self._failures: list[_Failure] = []
        self._objects: dict[tuple[str, str, str], Object] = {}
        self._revisions = itertools.count(1)
        self._revision = 0
        self._tokens = 0
        self._hub = FakeHub()
        self._informers = Informers("fake-client", self._make_informer)
        for obj in objects:
            self.put(obj)

    # What tests do beside requests.

    def put(self, obj: Object) -> Object:
        """Create or replace, status and all, without a request; the kind says which resource it is."""
        resource = _resource_of(obj, self.served)
        key = (str(resource), meta.namespace(obj), meta.name(obj))
        return self._store(
            key, _with_identity(copy.deepcopy(obj), resource, self.clock, self._objects.get(key))
        )

    def remove(self, resource: Resource, name: str, *, namespace: str = "") -> None:
        """Delete at once, without a request, finalizers or not."""
        self._drop((str(resource), namespace, name))

    def stored(self, resource: Resource, name: str, *, namespace: str = "") -> Object | None:
        """The object as it is now, without a request."""
        return copy.deepcopy(self._objects.get((str(resource), namespace, name)))

    def fail(self, verb: str, error: Exception, *, resource: Resource | None = None, times: int = 1) -> None:
        """Let the next matching requests raise `error`: the verb is get, list, create, ... or `*`."""
        self._failures.append(_Failure(verb, resource, error, times))

    def end_watches(self, error: Exception | None = None) -> None:
        """End every watch, cleanly or with an error, as a server that restarts."""
        self._hub.end_all(error)

    def writes(self) -> list[Request]:
        return [each for each in self.requests if each.verb not in ("get", "list", "watch")]

    # The protocol.

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", subresource: str = ""
    ) -> Object:
        self._note(Request("get", resource, namespace, name, subresource))
        return copy.deepcopy(self._find(resource, namespace, name))

    async def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
    ) -> Listing:
        self._note(Request("list", resource, namespace or "", ""))
        matches = selection(namespace, label_selector=label_selector, field_selector=field_selector)
        found = [
            copy.deepcopy(obj)
            for key, obj in sorted(self._objects.items())
            if key[0] == str(resource) and matches(obj)
        ]
        return Listing(found, str(self._revision))

    async def create(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        namespace, name = meta.namespace(obj), meta.name(obj)
        self._note(Request("create", resource, namespace, name, subresource, copy.deepcopy(obj)))
        if subresource == "binding":
            return self._bind(obj)
        if subresource == "token":
            return self._issue(resource, obj)
        if subresource:
            raise errors.MethodNotAllowed(f"the fake does not know {resource}/{subresource}")
        fresh = copy.deepcopy(obj)
        fresh.setdefault("metadata", {})
        if not name:
            name = fresh["metadata"]["name"] = (
                f"{fresh['metadata'].get('generateName', '')}{meta.random_suffix()}"
            )
        key = (str(resource), namespace, name)
        if key in self._objects:
            raise errors.already_exists(resource.group_resource, name)
        for field_name in ("uid", "resourceVersion", "creationTimestamp"):
            fresh["metadata"].pop(field_name, None)
        return self._store(key, _with_identity(fresh, resource, self.clock, None))

    async def update(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        namespace, name = meta.namespace(obj), meta.name(obj)
        self._note(Request("update", resource, namespace, name, subresource, copy.deepcopy(obj)))
        old = self._find(resource, namespace, name)
        if meta.resource_version(obj) not in ("", meta.resource_version(old)):
            raise errors.conflict(resource.group_resource, name)
        return self._replace(resource, old, copy.deepcopy(obj), subresource)

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Mapping[str, Any] | Sequence[Object],
        *,
        namespace: str = "",
        subresource: str = "",
        content_type: str = MERGE_PATCH,
    ) -> Object:
        self._note(Request("patch", resource, namespace, name, subresource, copy.deepcopy(patch)))
        old = self._find(resource, namespace, name)
        fresh = _patched(old, patch, content_type)
        if meta.resource_version(fresh) != meta.resource_version(old):
            raise errors.conflict(resource.group_resource, name)
        return self._replace(resource, old, fresh, subresource)

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        grace_period_seconds: int | None = None,
        preconditions: Mapping[str, str] | None = None,
        propagation_policy: str | None = None,
    ) -> Object:
        options = {
            "gracePeriodSeconds": grace_period_seconds,
            "preconditions": dict(preconditions) if preconditions else None,
            "propagationPolicy": propagation_policy,
        }
        self._note(Request("delete", resource, namespace, name, body=options))
        old = self._find(resource, namespace, name)
        for precondition, wanted in (preconditions or {}).items():
            if old["metadata"].get(precondition) != wanted:
                raise errors.conflict(
                    resource.group_resource, name, f"the precondition {precondition} failed"
                )
        return self._delete(resource, old, grace_period_seconds)

    async def delete_collection(
        self,
        resource: Resource,
        *,
        namespace: str = "",
        label_selector: str = "",
        field_selector: str = "",
        grace_period_seconds: int | None = None,
        propagation_policy: str | None = None,
    ) -> None:
        self._note(Request("delete_collection", resource, namespace, ""))
        matches = selection(namespace or None, label_selector=label_selector, field_selector=field_selector)
        for key, obj in list(self._objects.items()):
            if key[0] == str(resource) and matches(obj):
                self._delete(resource, obj, grace_period_seconds)

    async def watch(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
        resource_version: str = "",
    ) -> AsyncGenerator[WatchEvent, None]:
        self._note(Request("watch", resource, namespace or "", "", body=resource_version))
        matches = selection(namespace, label_selector=label_selector, field_selector=field_selector)
        since = int(resource_version or self._revision)
        async for event in self._hub.follow(str(resource), since=since, matches=matches):
            yield event

    async def discover(self) -> Sequence[Resource]:
        return (await self.discovery()).preferred

    async def discovery(self) -> Discovery:
        return Discovery(preferred(self.served), tuple(self.served), dict(self.undiscovered))

    async def fetch(self, path: str, parameters: Mapping[str, str]) -> Object:
        raise errors.NotFound("the server could not find the requested resource")

    def informer(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        field_selector: str = "",
        metadata_only: bool = False,
    ) -> Informer:
        return self._informers.get(resource, namespace=namespace, field_selector=field_selector)

    def drop_informers(self, resource: Resource) -> None:
        self._informers.drop(resource)

    async def close(self) -> None:
        await self._informers.close()

    # How it works.

    def _make_informer(
        self, resource: Resource, namespace: str | None, field_selector: str, _: bool
    ) -> CachedInformer:
        return CachedInformer(
            self, resource, clock=self.clock, namespace=namespace, field_selector=field_selector
        )

    def _note(self, request: Request) -> None:
        self.requests.append(request)
        for failure in self._failures:
            if failure.verb in ("*", request.verb) and failure.resource in (None, request.resource):
                failure.times -= 1
                if not failure.times:
                    self._failures.remove(failure)
                raise failure.error

    def _find(self, resource: Resource, namespace: str, name: str) -> Object:
        obj = self._objects.get((str(resource), namespace, name))
        if obj is None:
            raise errors.not_found(resource.group_resource, name)
        return obj

    def _store(self, key: tuple[str, str, str], obj: Object) -> Object:
        old = self._objects.get(key)
        self._revision = next(self._revisions)
        obj["metadata"]["resourceVersion"] = str(self._revision)
        self._objects[key] = obj
        self._hub.publish(key[0], self._revision, new=obj, old=old)
        return copy.deepcopy(obj)

    def _drop(self, key: tuple[str, str, str]) -> Object:
        old = self._objects.pop(key)
        final = copy.deepcopy(old)
        self._revision = next(self._revisions)
        final["metadata"]["resourceVersion"] = str(self._revision)
        self._hub.publish(key[0], self._revision, new=None, old=old, final=final)
        return copy.deepcopy(final)

    def _replace(self, resource: Resource, old: Object, fresh: Object, subresource: str) -> Object:
        if subresource in ("status", "approval"):
            fresh = {**copy.deepcopy(old), "status": fresh.get("status") or {}}
        elif subresource == "finalize":
            spec = {
                **(old.get("spec") or {}),
                "finalizers": (fresh.get("spec") or {}).get("finalizers") or [],
            }
            fresh = {**copy.deepcopy(old), "spec": spec}
        elif "status" in old:
            fresh["status"] = copy.deepcopy(old["status"])
        fresh = _with_identity(fresh, resource, self.clock, old)
        key = (str(resource), meta.namespace(old), meta.name(old))
        if _content(fresh) == _content(old):
            return copy.deepcopy(old)
        grace = fresh["metadata"].get("deletionGracePeriodSeconds")
        if meta.is_terminating(fresh) and not grace and not _held(resource, fresh):
            self._objects[key] = fresh
            return self._drop(key)
        return self._store(key, fresh)

    def _bind(self, binding: Object) -> Object:
        namespace, name = meta.namespace(binding), meta.name(binding)
        pod = copy.deepcopy(self._find(PODS, namespace, name))
        if pod["spec"].get("nodeName"):
            why = f"pod {name} is already assigned to node {pod['spec']['nodeName']!r}"
            raise errors.conflict(PODS.group_resource, name, why)
        pod["spec"]["nodeName"] = binding["target"]["name"]
        self._store((str(PODS), namespace, name), pod)
        return {"apiVersion": "v1", "kind": "Status", "status": "Success"}

    def _issue(self, resource: Resource, request: Object) -> Object:
        """A token that tells what was asked for, and how many were made before it."""
        self._find(resource, meta.namespace(request), meta.name(request))
        spec = request["spec"]
        self._tokens += 1
        expires = meta.timestamp(self.clock.now() + timedelta(seconds=spec["expirationSeconds"]))
        token = f"{meta.name(request)}-{','.join(spec['audiences'])}-{self._tokens}"
        return {**request, "status": {"token": token, "expirationTimestamp": expires}}

    def _delete(self, resource: Resource, old: Object, grace: int | None) -> Object:
        key = (str(resource), meta.namespace(old), meta.name(old))
        fresh = copy.deepcopy(old)
        grace = _grace(resource, old, grace)
        if not grace and not _held(resource, old):
            return self._drop(key)
        fresh["metadata"].setdefault(
            "deletionTimestamp", meta.timestamp(self.clock.now() + timedelta(seconds=grace))
        )
        fresh["metadata"]["deletionGracePeriodSeconds"] = grace
        if resource == NAMESPACES:
            fresh.setdefault("status", {})["phase"] = "Terminating"
        return self._store(key, fresh)


def _resource_of(obj: Object, served: Sequence[Resource]) -> Resource:
    from kubeling.client import resources

    known = [*served, *(each for each in vars(resources).values() if isinstance(each, Resource))]
    for resource in known:
        if (resource.api_version, resource.kind) == (obj["apiVersion"], obj["kind"]):
            return resource
    raise ValueError(f"the fake does not know the kind {obj['kind']}: name it in `resources`")


def _with_identity(fresh: Object, resource: Resource, clock: Clock, old: Object | None) -> Object:
    metadata = fresh["metadata"]
    fresh.setdefault("apiVersion", resource.api_version)
    fresh.setdefault("kind", resource.kind)
    if old is None:
        metadata.setdefault("uid", meta.new_uid())
        metadata.setdefault("creationTimestamp", meta.timestamp(clock.now()))
    else:
        for name in ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"):
            if name in old["metadata"]:
                metadata[name] = old["metadata"][name]
    if resource == NAMESPACES and old is None:
        fresh.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
        fresh.setdefault("status", {}).setdefault("phase", "Active")
    return fresh


def _content(obj: Object) -> Object:
    metadata = {name: value for name, value in obj["metadata"].items() if name != "resourceVersion"}
    return {**obj, "metadata": metadata}


def _held(resource: Resource, obj: Object) -> bool:
    """Whether finalizers keep the object."""
    own = (obj.get("spec") or {}).get("finalizers") if resource == NAMESPACES else None
    return bool(own or obj["metadata"].get("finalizers"))


def _grace(resource: Resource, obj: Object, wanted: int | None) -> int:
    """Only pods that a node runs are deleted gracefully."""
    spec = obj.get("spec") or {}
    if resource != PODS or not spec.get("nodeName"):
        return 0
    return int(spec.get("terminationGracePeriodSeconds", 30)) if wanted is None else wanted


def _patched(old: Object, patch: Any, content_type: str) -> Object:
    if content_type == JSON_PATCH:
        patched: Object = jsonpatch.apply_patch(copy.deepcopy(old), patch)
        return patched
    merged: Object = _merged(
        copy.deepcopy(old), copy.deepcopy(patch), strategic=content_type == STRATEGIC_PATCH
    )
    return merged


def _merged(old: Any, patch: Any, *, strategic: bool) -> Any:
    """A merge patch; a strategic one also merges lists of conditions by their type, in any order."""
    if strategic and _are_conditions(old) and _are_conditions(patch):
        merged = {each["type"]: each for each in old}
        for each in patch:
            if each.get("$patch") == "delete":
                merged.pop(each["type"], None)
                continue
            merged[each["type"]] = _without_nulls({**merged.get(each["type"], {}), **each})
        return list(merged.values())
    if not isinstance(patch, Mapping) or not isinstance(old, dict):
        return _without_nulls(patch)
    for name, value in patch.items():
        if value is None:
            old.pop(name, None)
        elif not (strategic and name.startswith("$setElementOrder/")):
            old[name] = _merged(old.get(name), value, strategic=strategic)
    return old


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return value


def _are_conditions(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) and "type" in each for each in value)
