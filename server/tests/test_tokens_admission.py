"""The ServiceAccount admission plug-in: which account, its token's mount, the secrets that it allows."""

import asyncio
from typing import Any

import orjson
import pytest

from kubeling.objects.clock import FakeClock
from kubeling.objects.errors import Forbidden
from server.admission.service_account import MOUNT_PATH, ServiceAccount
from server.registry.admission import Attributes
from server.registry.context import SYSTEM, RequestContext
from server.registry.kinds import Kinds
from server.storage import Record

PODS = Kinds().lookup("", "v1", "pods")


class Accounts:
    """The service accounts of the namespace `a`."""

    def __init__(self, *accounts: dict[str, Any]) -> None:
        self.records = {each["metadata"]["name"]: _record(each) for each in accounts}

    def get(self, resource: str, namespace: str, name: str) -> Record | None:
        assert (resource, namespace) == ("serviceaccounts", "a")
        return self.records.get(name)


def _record(account: dict[str, Any]) -> Record:
    name = account["metadata"]["name"]
    return Record("serviceaccounts", "a", name, "u", 1, 1, orjson.dumps(account))


def account(name: str = "default", *, limited: str = "", **more: Any) -> dict[str, Any]:
    annotations = {"kubernetes.io/enforce-mountable-secrets": limited} if limited else {}
    return {"metadata": {"name": name, "annotations": annotations}, **more}


def pod(*, mirror: bool = False, **spec: Any) -> dict[str, Any]:
    annotations = {"kubernetes.io/config.mirror": "x"} if mirror else {}
    spec.setdefault("containers", [{"name": "main"}])
    return {"metadata": {"name": "p", "namespace": "a", "annotations": annotations}, "spec": spec}


def created(obj: dict[str, Any], *, operation: str = "CREATE", subresource: str = "") -> Attributes:
    assert PODS is not None
    return Attributes(RequestContext(SYSTEM), PODS, "v1", operation, "a", "p", subresource, obj)


def mutated(obj: dict[str, Any], *accounts: dict[str, Any]) -> Any:
    assert ServiceAccount(Accounts(*accounts)).mutate(created(obj)) is None
    return obj["spec"]


def mounts(container: dict[str, Any]) -> list[str]:
    return [each["mountPath"] for each in container.get("volumeMounts") or []]


def test_every_container_gets_the_token_of_the_default_account() -> None:
    spec = mutated(pod(initContainers=[{"name": "first"}]), account())
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("default", "default")
    [volume] = spec["volumes"]
    assert volume["name"].startswith("kube-api-access-")
    assert volume["projected"] == {
        "defaultMode": 420,
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {
                "downwardAPI": {
                    "items": [
                        {
                            "path": "namespace",
                            "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
                        }
                    ]
                }
            },
        ],
    }
    for container in (*spec["initContainers"], *spec["containers"]):
        assert container["volumeMounts"] == [
            {"name": volume["name"], "readOnly": True, "mountPath": MOUNT_PATH}
        ]


def test_a_container_with_something_else_in_that_place_keeps_it() -> None:
    own = {"name": "main", "volumeMounts": [{"name": "v", "mountPath": MOUNT_PATH}]}
    spec = mutated(pod(containers=[own], volumes=[{"name": "v", "emptyDir": {}}]), account())
    assert mounts(spec["containers"][0]) == [MOUNT_PATH]
    assert [each["name"] for each in spec["volumes"]] == ["v"]


def test_a_token_volume_that_is_there_is_used() -> None:
    there = {"name": "kube-api-access-mine", "projected": {"sources": []}}
    spec = mutated(pod(volumes=[there]), account())
    assert spec["volumes"] == [there]
    assert spec["containers"][0]["volumeMounts"][0]["name"] == "kube-api-access-mine"


@pytest.mark.parametrize(
    ("of_pod", "of_account", "mounted"),
    [
        (None, None, True),
        (None, False, False),
        (True, False, True),
        (False, None, False),
        (False, True, False),
    ],
)
def test_the_pods_word_on_mounting_counts_before_the_accounts(
    of_pod: bool | None, of_account: bool | None, mounted: bool
) -> None:
    spec = mutated(pod(automountServiceAccountToken=of_pod), account(automountServiceAccountToken=of_account))
    assert bool(mounts(spec["containers"][0])) == mounted


def test_pull_secrets_come_from_the_account_unless_the_pod_has_its_own() -> None:
    giving = account(imagePullSecrets=[{"name": "s"}])
    assert mutated(pod(), giving)["imagePullSecrets"] == [{"name": "s"}]
    assert mutated(pod(imagePullSecrets=[{"name": "t"}]), giving)["imagePullSecrets"] == [{"name": "t"}]


async def test_the_default_account_is_waited_for() -> None:
    clock, accounts, obj = FakeClock(), Accounts(), pod()
    rest = ServiceAccount(accounts, clock=clock).mutate(created(obj))
    assert rest is not None

    async def make_account() -> None:
        await clock.advance(0.5)
        accounts.records["default"] = _record(account())
        await clock.advance(0.5)

    await asyncio.gather(rest, make_account())
    assert mounts(obj["spec"]["containers"][0]) == [MOUNT_PATH]


async def test_the_default_account_is_not_waited_for_for_ever() -> None:
    clock = FakeClock()
    rest = ServiceAccount(Accounts(), clock=clock).mutate(created(pod()))
    assert rest is not None
    why = 'error looking up service account a/default: serviceaccount "default" not found'
    with pytest.raises(Forbidden, match=why):
        await asyncio.gather(rest, clock.advance(2))


ENV = [{"name": "E", "valueFrom": {"secretKeyRef": {"name": "x", "key": "k"}}}]
SECRET_VOLUME = {"name": "v", "secret": {"secretName": "x"}}
ENV_FROM = [{"secretRef": {"name": "x"}}]
NOT_REFERENCED = "is not allowed because service account default does not reference that secret"


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        (
            {"volumes": [SECRET_VOLUME]},
            f'volume with secret.secretName="x" {NOT_REFERENCED}',
        ),
        (
            {"initContainers": [{"name": "i", "env": ENV}]},
            f'init container i with envVar E referencing secret.secretName="x" {NOT_REFERENCED}',
        ),
        (
            {"containers": [{"name": "c", "envFrom": ENV_FROM}]},
            f'container c with envFrom referencing secret.secretName="x" {NOT_REFERENCED}',
        ),
        (
            {"imagePullSecrets": [{"name": "x"}]},
            'imagePullSecrets[0].name="x" is not allowed because service account default does not reference'
            " that imagePullSecret",
        ),
    ],
)
def test_an_account_that_limits_secrets_allows_those_that_it_lists(spec: dict[str, Any], why: str) -> None:
    attributes = created(pod(serviceAccountName="default", **spec))
    with pytest.raises(Forbidden) as caught:
        ServiceAccount(Accounts(account(limited="true"))).validate(attributes)
    assert caught.value.message == f'pods "p" is forbidden: {why}'
    listing = account(limited="true", secrets=[{"name": "x"}], imagePullSecrets=[{"name": "x"}])
    ServiceAccount(Accounts(listing)).validate(attributes)
    ServiceAccount(Accounts(account(limited="false"))).validate(attributes)


def test_ephemeral_containers_are_limited_as_well() -> None:
    obj = pod(serviceAccountName="default", ephemeralContainers=[{"name": "e", "env": ENV}])
    attributes = created(obj, operation="UPDATE", subresource="ephemeralcontainers")
    with pytest.raises(Forbidden, match="ephemeral container e with envVar E referencing"):
        ServiceAccount(Accounts(account(limited="true"))).validate(attributes)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"serviceAccountName": "default"}, "a mirror pod may not reference service accounts"),
        (
            {"volumes": [{"name": "v", "secret": {"secretName": "x"}}]},
            "a mirror pod may not reference secrets",
        ),
        ({"containers": [{"name": "c", "env": ENV}]}, "a mirror pod may not reference secrets"),
        (
            {"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]},
            "a mirror pod may not use ServiceAccountToken volume projections",
        ),
    ],
)
def test_a_mirror_pod_is_left_as_it_is_and_refers_to_nothing(spec: dict[str, Any], why: str) -> None:
    plugin, plain = ServiceAccount(Accounts(account())), pod(mirror=True)
    plugin.mutate(created(plain))
    plugin.validate(created(plain))
    assert plain["spec"] == {"containers": [{"name": "main"}]}
    with pytest.raises(Forbidden, match=why):
        plugin.validate(created(pod(mirror=True, **spec)))
