"""The control loops as processes of their own: over HTTP, one leads, each controller as its account."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from kubeling.client import HttpClient
from kubeling.client.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CONFIGMAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    LEASES,
    NODES,
    PODS,
    REPLICA_SETS,
    SECRETS,
    SERVICE_ACCOUNTS,
    Resource,
)
from kubeling.objects import meta
from kubeling.objects.clock import SystemClock
from server.controllers.api_services import API_SERVICES
from server.main import start
from server.tests.over_http import Server, client, eventually, server
from server.tests.test_custom_api import definition

__all__ = ["client", "server"]

COMPONENT_STATUSES = Resource("", "v1", "componentstatuses", "ComponentStatus", namespaced=False)
LEASE = ("kube-system", "kube-controller-manager")


class Processes:
    def __init__(self, server: Server, home: Path) -> None:
        self._server = server
        self._home = home
        self.running: list[subprocess.Popen[bytes]] = []
        self.log = home / "loops.log"

    def start(self, module: str, user: str, *flags: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", module, "--kubeconfig", str(self._kubeconfig(user)), *flags]
        with self.log.open("ab") as log:
            self.running.append(subprocess.Popen(command, stdout=log, stderr=log))
        return self.running[-1]

    def _kubeconfig(self, user: str) -> Path:
        connection = self._server.connection_of(user)
        authority = base64.b64encode(connection.authority or b"").decode()
        cluster = {"server": connection.server, "certificate-authority-data": authority}
        content = {
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": connection.token}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        file = self._home / f"{user.replace(':', '-')}.kubeconfig"
        file.write_text(json.dumps(content))
        return file


@pytest.fixture
def processes(server: Server, tmp_path: Path) -> Iterator[Processes]:
    made = Processes(server, tmp_path)
    yield made
    for each in made.running:
        each.kill()
        each.wait()


until = partial(eventually, seconds=60)


@pytest.mark.timeout(180)
async def test_two_managers_and_a_scheduler_run_the_cluster_and_one_may_die(
    client: HttpClient, processes: Processes
) -> None:
    leases, sets, pods = (client.informer(each) for each in (LEASES, REPLICA_SETS, PODS))
    accounts = client.informer(SERVICE_ACCOUNTS, namespace="default")

    def holder() -> str:
        return str(((leases.get(*LEASE) or {}).get("spec") or {}).get("holderIdentity") or "")

    first = processes.start(
        "server.controllers", "system:kube-controller-manager", "--use-service-account-credentials"
    )
    await until(holder)
    leader = holder()
    processes.start(
        "server.controllers", "system:kube-controller-manager", "--use-service-account-credentials"
    )
    processes.start("server.scheduler", "system:kube-scheduler")
    await client.create(NODES, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}})
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady"}
    status = {"allocatable": {"cpu": "4", "memory": "4Gi", "pods": "110"}, "conditions": [ready]}
    await client.patch(NODES, "n", {"status": status}, subresource="status")
    await until(lambda: accounts.get("default", "default"))
    await client.create(REPLICA_SETS, _replica_set(replicas=2))
    await until(lambda: [_node(pod) for pod in pods.list("default")] == ["n", "n"])
    await until(lambda: processes.log.read_text().count("kube-controller-manager") > 0)
    first.kill()
    await until(lambda: holder() not in ("", leader))
    await client.patch(REPLICA_SETS, "rs", {"spec": {"replicas": 5}}, namespace="default")
    await until(lambda: [_node(pod) for pod in pods.list("default")] == ["n"] * 5)
    found = sets.get("default", "rs")
    assert found is not None
    assert {meta.controller_of(pod)["uid"] for pod in pods.list("default")} == {meta.uid(found)}  # type: ignore[index]
    assert "forbidden" not in processes.log.read_text()


def _node(pod: meta.Object) -> str:
    return str(pod["spec"].get("nodeName"))


def _replica_set(*, replicas: int) -> meta.Object:
    labels = {"a": "b"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "rs", "namespace": "default"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


@pytest.mark.timeout(120)
async def test_keys_that_the_flags_name_sign_certificates_and_tokens(
    server: Server, client: HttpClient, processes: Processes
) -> None:
    keys = server.keys
    processes.start(
        "server.controllers",
        "system:kube-controller-manager",
        "--no-leader-elect",
        "--use-service-account-credentials",
        f"--root-ca-file={keys.authority.certificate}",
        f"--cluster-signing-key-file={keys.authority.key}",
        f"--service-account-private-key-file={keys.service_account_key}",
    )
    maps, secrets, requests = (
        client.informer(each) for each in (CONFIGMAPS, SECRETS, CERTIFICATE_SIGNING_REQUESTS)
    )
    authority = keys.authority.certificate.read_text()
    await until(lambda: (maps.get("default", "kube-root-ca.crt") or {}).get("data") == {"ca.crt": authority})
    annotations = {"kubernetes.io/service-account.name": "default"}
    own = {"name": "s", "namespace": "default", "annotations": annotations}
    made = {"apiVersion": "v1", "kind": "Secret", "metadata": own}
    await client.create(SECRETS, {**made, "type": "kubernetes.io/service-account-token"})
    await until(lambda: "token" in ((secrets.get("default", "s") or {}).get("data") or {}))
    await client.create(CERTIFICATE_SIGNING_REQUESTS, _signing_request())
    found = await client.get(CERTIFICATE_SIGNING_REQUESTS, "c")
    found["status"] = {"conditions": [{"type": "Approved", "status": "True", "reason": "Test"}]}
    await client.update(CERTIFICATE_SIGNING_REQUESTS, found, subresource="approval")
    await until(lambda: (requests.get("", "c") or {}).get("status", {}).get("certificate"))
    assert "forbidden" not in processes.log.read_text()


def _signing_request() -> meta.Object:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
    asked = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    spec = {
        "request": base64.b64encode(asked.public_bytes(serialization.Encoding.PEM)).decode(),
        "signerName": "kubernetes.io/kube-apiserver-client",
        "usages": ["client auth"],
    }
    kind = {"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest"}
    return {**kind, "metadata": {"name": "c"}, "spec": spec}


def test_a_kubeconfig_that_is_not_there_is_told_of(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "server.scheduler", "--kubeconfig", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "cannot read the kubeconfig" in done.stderr


async def test_a_server_without_loops_still_does_what_only_it_can(server: Server, tmp_path: Path) -> None:
    config = replace(server.config(), control_loops=False, datastore=f"sqlite:///{tmp_path}/other.db", port=0)
    async with AsyncExitStack() as parts:
        port = await start(config, parts, clock=SystemClock())
        connection = server.connection(port=port)
        async with HttpClient(connection) as client:
            await client.create(CUSTOM_RESOURCE_DEFINITIONS, definition())
            services, accounts = client.informer(API_SERVICES), client.informer(SERVICE_ACCOUNTS)
            await until(lambda: services.get("", "v1.example.com"))
            assert accounts.list() == []


async def test_a_server_that_is_alone_acts_without_an_election(server: Server, tmp_path: Path) -> None:
    config = replace(server.config(), datastore=f"sqlite:///{tmp_path}/other.db", port=0)
    async with AsyncExitStack() as parts:
        port = await start(config, parts, clock=SystemClock())
        async with HttpClient(server.connection(port=port)) as client:
            leases, accounts = client.informer(LEASES), client.informer(SERVICE_ACCOUNTS)
            await until(lambda: accounts.get("default", "default"))
            await leases.wait_synced()
            assert [meta.name(lease) for lease in leases.list() if "kube-" in meta.name(lease)] == []
            found = await client.list(COMPONENT_STATUSES)
            assert {each["conditions"][0]["status"] for each in found.items} == {"True"}
