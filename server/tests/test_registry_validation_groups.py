"""What is wrong with objects of the groups beside core, apps and batch, as clients are told."""

from collections.abc import AsyncIterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeling.objects import errors
from kubeling.objects.clock import FakeClock
from server.registry.admission import AdmitAll
from server.registry.context import SYSTEM, RequestContext
from server.registry.kind import Kind
from server.registry.options import MERGE_PATCH, Patch
from server.registry.registry import Registry
from server.storage import Store

SAMPLES = Path(__file__).parent / "golden" / "registry" / "samples.yaml"
BY_KIND: dict[str, dict[str, Any]] = {
    f"{obj['apiVersion']}/{obj['kind']}": obj for obj in yaml.safe_load_all(SAMPLES.read_text())
}
NETWORKING, STORAGE = "networking.k8s.io/v1", "storage.k8s.io/v1"
ADMISSION = "admissionregistration.k8s.io/v1"
RESOURCE = "resource.k8s.io/v1"
CERTIFICATES = "certificates.k8s.io/v1"
FLOW, SERVICE_OF = "flowcontrol.apiserver.k8s.io/v1", "apiregistration.k8s.io/v1"


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    store = await Store.open(f"sqlite:///{tmp_path}/test.db", clock=FakeClock())
    yield Registry(store, FakeClock(), AdmitAll())
    await store.close()


def kind_of(registry: Registry, obj: dict[str, Any]) -> Kind:
    group, _, version = obj["apiVersion"].rpartition("/")
    found = registry.kinds.lookup_kind(group, version, obj["kind"])
    assert found is not None
    return found


def merged(base: Any, change: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(change, dict):
        return change
    out = deepcopy(base)
    for key, value in change.items():
        out[key] = merged(out.get(key), value)
    return {key: value for key, value in out.items() if value is not None}


async def create(registry: Registry, obj: dict[str, Any]) -> None:
    kind = kind_of(registry, obj)
    await registry.create(RequestContext(SYSTEM), kind, "default" if kind.namespaced else "", obj)


@pytest.mark.parametrize(
    ("what", "change", "field", "message"),
    [
        (
            f"{NETWORKING}/Ingress",
            {"spec": {"rules": None, "defaultBackend": None}},
            "spec",
            "Invalid value: null: either `defaultBackend` or `rules` must be specified",
        ),
        (
            f"{NETWORKING}/Ingress",
            {"spec": {"rules": [{"host": "192.0.2.1"}]}},
            "spec.rules[0].host",
            'Invalid value: "192.0.2.1": must be a DNS name, not an IP address',
        ),
        (
            f"{NETWORKING}/Ingress",
            {"spec": {"rules": [{"http": {"paths": [{"path": "a", "pathType": "Exact", "backend": {}}]}}]}},
            "spec.rules[0].http.paths[0].path",
            'Invalid value: "a": must be an absolute path',
        ),
        (
            f"{NETWORKING}/Ingress",
            {"spec": {"defaultBackend": {"service": {"name": "s"}}}},
            "spec.defaultBackend",
            "Required value: port name or number is required",
        ),
        (
            f"{NETWORKING}/IngressClass",
            {"spec": {"controller": "x"}},
            "spec.controller",
            'Invalid value: "x": must be a domain-prefixed path (such as "acme.io/foo")',
        ),
        (
            f"{NETWORKING}/NetworkPolicy",
            {
                "spec": {
                    "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]}]
                }
            },
            "spec.ingress[0].from[0].ipBlock.except[0]",
            'Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`',
        ),
        (
            f"{NETWORKING}/NetworkPolicy",
            {"spec": {"egress": [{"ports": [{"port": 80, "endPort": 79}]}]}},
            "spec.egress[0].ports[0].endPort",
            "Invalid value: 79: must be greater than or equal to `port`",
        ),
        (
            f"{NETWORKING}/ServiceCIDR",
            {"spec": {"cidrs": ["10.0.0.0/8", "11.0.0.0/8"]}},
            "spec.cidrs",
            'Invalid value: ["10.0.0.0/8","11.0.0.0/8"]: may specify no more than one IP for each IP family,'
            " i.e 192.168.0.0/24 and 2001:db8::/64",
        ),
        (
            f"{NETWORKING}/IPAddress",
            {"spec": {"parentRef": None}},
            "spec.parentRef",
            "Required value",
        ),
        (
            "discovery.k8s.io/v1/EndpointSlice",
            {"addressType": "IPv4", "endpoints": [{"addresses": ["127.0.0.1"]}]},
            "endpoints[0].addresses[0]",
            'Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
        ),
        (
            "scheduling.k8s.io/v1/PriorityClass",
            {"metadata": {"name": "system-mine"}},
            "metadata.name",
            "Forbidden: priority class names with 'system-' prefix are reserved for system use only. error:"
            " system-mine is not a known system priority class",
        ),
        (
            "scheduling.k8s.io/v1/PriorityClass",
            {"value": 2000000000},
            "value",
            "Forbidden: maximum allowed value of a user defined priority is 1000000000",
        ),
        (
            "coordination.k8s.io/v1/Lease",
            {"spec": {"preferredHolder": "x"}},
            "spec.preferredHolder",
            "Forbidden: may only be specified if `strategy` is defined",
        ),
        (
            f"{STORAGE}/StorageClass",
            {"reclaimPolicy": "Recycle"},
            "reclaimPolicy",
            'Unsupported value: "Recycle": supported values: "Delete", "Retain"',
        ),
        (
            f"{STORAGE}/VolumeAttachment",
            {"spec": {"source": {"persistentVolumeName": None, "inlineVolumeSpec": {"volumeMode": "Block"}}}},
            "spec.source.inlineVolumeSpec.csi",
            "Required value: has to be specified in the context of inline volumes",
        ),
        (
            f"{STORAGE}/VolumeAttachment",
            {"spec": {"source": {"persistentVolumeName": None}}},
            "spec.source",
            "Required value: must specify exactly one of inlineVolumeSpec and persistentVolumeName",
        ),
        (
            f"{STORAGE}/CSIDriver",
            {"spec": {"tokenRequests": [{"audience": "a", "expirationSeconds": 599}]}},
            "spec.tokenRequests[0].expirationSeconds",
            "Invalid value: 599: may not specify a duration less than 10 minutes",
        ),
        (
            f"{STORAGE}/CSINode",
            {"spec": {"drivers": [{"name": "d.example", "nodeID": ""}]}},
            "spec.drivers[0].nodeID",
            "Required value",
        ),
        (
            f"{STORAGE}/VolumeAttributesClass",
            {"parameters": None},
            "parameters",
            "Required value: must contain at least one key/value pair",
        ),
        (
            f"{FLOW}/FlowSchema",
            {"spec": {"matchingPrecedence": 1}},
            "spec.matchingPrecedence",
            "Invalid value: 1: only the schema named 'exempt' may have matchingPrecedence 1",
        ),
        (
            f"{FLOW}/PriorityLevelConfiguration",
            {"spec": {"type": "Exempt", "limited": None}},
            "spec.type",
            "Invalid value: \"Exempt\": type must be 'Exempt' if and only if name is 'exempt'",
        ),
        (
            f"{SERVICE_OF}/APIService",
            {"metadata": {"name": "v1.other"}},
            "metadata.name",
            'Invalid value: "v1.other": must be `spec.version+"."+spec.group`: "',
        ),
        (
            f"{ADMISSION}/ValidatingWebhookConfiguration",
            {"webhooks": [{"name": "a.b", "clientConfig": {"url": "https://h"}}]},
            "webhooks[0].name",
            'Invalid value: "a.b": should be a domain with at least three segments separated by dots',
        ),
        (
            f"{ADMISSION}/ValidatingWebhookConfiguration",
            {"webhooks": [{"name": "a.b.c", "clientConfig": {"url": "http://h"}}]},
            "webhooks[0].clientConfig.url",
            "Invalid value: \"http\": 'https' is the only allowed URL scheme",
        ),
        (
            f"{ADMISSION}/MutatingWebhookConfiguration",
            {"webhooks": [{"name": "a.b.c", "clientConfig": {}}]},
            "webhooks[0].sideEffects",
            "Required value: must specify one of None, NoneOnDryRun",
        ),
        (
            f"{ADMISSION}/ValidatingAdmissionPolicy",
            {"spec": {"validations": None}},
            "spec.auditAnnotations",
            "Required value: validations or auditAnnotations must contain at least one item",
        ),
        (
            f"{ADMISSION}/ValidatingAdmissionPolicyBinding",
            {"spec": {"validationActions": ["Deny", "Warn"]}},
            "spec.validationActions",
            'Invalid value: ["Deny","Warn"]: must not contain both Deny and Warn',
        ),
        (
            f"{ADMISSION}/MutatingAdmissionPolicy",
            {"spec": {"mutations": [{"patchType": "JSONPatch"}]}},
            "spec.mutations[0].jsonPatch",
            "Required value: must be specified when patchType is JSONPatch",
        ),
        (
            f"{RESOURCE}/ResourceClaim",
            {"spec": {"devices": {"requests": [{"name": "r"}]}}},
            "spec.devices.requests[0]",
            "Required value: exactly one of `exactly` or `firstAvailable` is required",
        ),
        (
            f"{RESOURCE}/ResourceClaim",
            {"spec": {"devices": {"constraints": [{"requests": ["x"], "matchAttribute": "a.b/c"}]}}},
            "spec.devices.constraints[0].requests[0]",
            'Invalid value: "x": must be the name of a request in the claim',
        ),
        (
            f"{RESOURCE}/ResourceSlice",
            {"spec": {"allNodes": True}},
            "spec",
            'Invalid value: "{`nodeName`, `allNodes`}": exactly one of `nodeName`',
        ),
        (
            f"{RESOURCE}/ResourceSlice",
            {"spec": {"devices": [{"name": "d", "attributes": {"v": {"version": "1"}}}]}},
            "spec.devices[0].attributes[v].version",
            'Invalid value: "1": must be a string compatible with semver.org spec 2.0.0',
        ),
        (
            f"{RESOURCE}/DeviceClass",
            {"spec": {"config": [{}]}},
            "spec.config[0].opaque",
            "Required value",
        ),
        (
            f"{RESOURCE}/DeviceTaintRule",
            {"spec": {"taint": {"effect": "Odd"}}},
            "spec.taint.effect",
            'Unsupported value: "Odd": supported values: "NoExecute", "NoSchedule", "None"',
        ),
        (
            f"{CERTIFICATES}/ClusterTrustBundle",
            {"metadata": {"name": "other"}},
            "metadata.name",
            'Invalid value: "other": ClusterTrustBundle for signerName example.com/s must be named',
        ),
        (
            f"{CERTIFICATES}/ClusterTrustBundle",
            {"spec": {"trustBundle": "-----BEGIN KEY-----\n-----END KEY-----\n"}},
            "spec.trustBundle",
            'Invalid value: "<value omitted>": entry 0 has bad block type: KEY',
        ),
        (
            "storagemigration.k8s.io/v1/StorageVersionMigration",
            {"spec": {"resource": {"resource": ""}}},
            "spec.resource.resource",
            "Required value: resource is required",
        ),
        (
            "node.k8s.io/v1/RuntimeClass",
            {"handler": "A"},
            "handler",
            'Invalid value: "A": a lowercase RFC 1123 label must consist of',
        ),
    ],
)
async def test_mistakes(
    what: str, change: dict[str, Any], field: str, message: str, registry: Registry
) -> None:
    with pytest.raises(errors.Invalid) as caught:
        await create(registry, merged(BY_KIND[what], change))
    assert caught.value.details is not None
    found = {cause["field"]: cause["message"] for cause in caught.value.details["causes"]}
    assert found[field].startswith(message)


@pytest.mark.parametrize(
    ("what", "change", "message"),
    [
        (f"{NETWORKING}/IngressClass", {"spec": {"controller": "b.example/c"}}, "field is immutable"),
        (f"{NETWORKING}/ServiceCIDR", {"spec": {"cidrs": ["10.0.0.0/9"]}}, "field is immutable"),
        (f"{NETWORKING}/IPAddress", {"spec": {"parentRef": {"name": "other"}}}, "field is immutable"),
        ("discovery.k8s.io/v1/EndpointSlice", {"addressType": "FQDN"}, "field is immutable"),
        ("scheduling.k8s.io/v1/PriorityClass", {"value": 7}, "may not be changed in an update."),
        (f"{STORAGE}/StorageClass", {"parameters": {"a": "b"}}, "updates to parameters are forbidden."),
        (f"{STORAGE}/CSIDriver", {"spec": {"attachRequired": False}}, "field is immutable"),
        (f"{STORAGE}/VolumeAttachment", {"spec": {"nodeName": "other"}}, "field is immutable"),
        ("node.k8s.io/v1/RuntimeClass", {"handler": "other"}, "field is immutable"),
        (f"{RESOURCE}/ResourceClaim", {"spec": {"devices": {"requests": []}}}, "field is immutable"),
        (f"{RESOURCE}/ResourceSlice", {"spec": {"driver": "other"}}, "field is immutable"),
    ],
)
async def test_what_may_not_change(
    what: str, change: dict[str, Any], message: str, registry: Registry
) -> None:
    await create(registry, BY_KIND[what])
    kind = kind_of(registry, BY_KIND[what])
    namespace, name = "default" if kind.namespaced else "", BY_KIND[what]["metadata"]["name"]
    with pytest.raises(errors.Invalid, match=message):
        await registry.patch(RequestContext(SYSTEM), kind, namespace, name, Patch(MERGE_PATCH, change))


EVENT = {
    "apiVersion": "events.k8s.io/v1",
    "kind": "Event",
    "metadata": {"name": "e"},
    "eventTime": "2026-01-01T00:00:00.000000Z",
    "type": "Normal",
    "reason": "R",
    "action": "A",
    "reportingController": "example.com/c",
    "reportingInstance": "i",
    "regarding": {"kind": "Pod", "name": "p", "namespace": "default"},
}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"eventTime": None}, "eventTime"),
        ({"type": "Odd"}, "type"),
        ({"deprecatedCount": 1}, "count"),
        ({"deprecatedSource": {"component": "c"}}, "source"),
        ({"reportingController": "a b"}, "reportingController"),
        ({"series": {"count": 1, "lastObservedTime": "2026-01-01T00:00:00.000000Z"}}, "series.count"),
        ({"note": "n" * 1025}, "message"),
    ],
)
async def test_events_of_the_new_api_are_checked_more_strictly(
    change: dict[str, Any], field: str, registry: Registry
) -> None:
    with pytest.raises(errors.Invalid) as caught:
        await create(registry, merged(EVENT, change))
    assert field in {cause["field"] for cause in (caught.value.details or {})["causes"]}


async def test_who_lets_a_lease_go_leaves_it_to_nobody(registry: Registry) -> None:
    lease = BY_KIND["coordination.k8s.io/v1/Lease"]
    await create(registry, lease)
    change = Patch(MERGE_PATCH, {"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}})
    name = lease["metadata"]["name"]
    patched = await registry.patch(RequestContext(SYSTEM), kind_of(registry, lease), "default", name, change)
    assert patched.record.obj["spec"]["holderIdentity"] == ""


async def test_only_the_series_of_an_event_goes_on(registry: Registry) -> None:
    await create(registry, EVENT)
    kind = kind_of(registry, EVENT)
    series = {"series": {"count": 2, "lastObservedTime": "2026-01-01T00:01:00.000000Z"}}
    patched = await registry.patch(RequestContext(SYSTEM), kind, "default", "e", Patch(MERGE_PATCH, series))
    assert registry.decoded(patched.record, kind)["series"]["count"] == 2
    change = Patch(MERGE_PATCH, {"note": "other"})
    with pytest.raises(errors.Invalid, match="field is immutable"):
        await registry.patch(RequestContext(SYSTEM), kind, "default", "e", change)


async def test_an_event_is_one_object_in_both_apis(registry: Registry) -> None:
    await create(registry, EVENT)
    old = registry.kinds.lookup("", "v1", "events")
    assert old is not None
    seen = registry.decoded(await registry.get(old, "default", "e"), old)
    assert (seen["apiVersion"], seen["involvedObject"]["name"]) == ("v1", "p")
    assert seen["reportingComponent"] == "example.com/c"
