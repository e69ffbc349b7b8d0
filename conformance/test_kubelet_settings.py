"""A node whose KubeletConfiguration names a cluster DNS, allows unsafe sysctls and filters system calls."""

from collections.abc import Iterator

import pytest

from conformance import cluster as clusters
from conformance import pods
from conformance import rest as rests
from conformance import space as spaces
from conformance.absence import absent
from conformance.rest import Object
from conformance.space import Space

SETTINGS = """
clusterDNS: [10.96.0.10, 10.96.0.11]
clusterDomain: test.example
seccompDefault: true
allowedUnsafeSysctls: ["kernel.msg*", "net.core.somaxconn"]
resolvConf: {}
"""


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """A namespace on such a node."""
    if clusters.lacking():
        absent(clusters.lacking())
    directory = tmp_path_factory.mktemp("settings")
    resolv_conf = directory / "resolv.conf"
    resolv_conf.write_text("nameserver 192.0.2.53\nsearch corp.example\noptions timeout:1\n")
    with (
        clusters.started(directory, kubelet=SETTINGS.format(resolv_conf)) as cluster,
        spaces.opened(rests.connect(cluster.kubeconfig), cluster.image) as space,
    ):
        yield space


def asked(space: Space, name: str, **spec: object) -> list[str]:
    return space.run_through(name, "cat /etc/resolv.conf", **spec).splitlines()


def test_the_cluster_dns_is_asked_first(settled: Space) -> None:
    searches = f"search {settled.name}.svc.test.example svc.test.example test.example corp.example"
    servers = ["nameserver 10.96.0.10", "nameserver 10.96.0.11"]
    for name, spec in (
        ("first", {}),
        ("host-net", {"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": True}),
    ):
        assert sorted(asked(settled, name, **spec)) == sorted([*servers, searches, "options ndots:5"])
    reasons = {event["reason"] for event in settled.events("first")}
    assert "MissingClusterDNS" not in reasons


def test_the_nodes_own_servers_are_asked_where_the_pod_wants_it(settled: Space) -> None:
    own = ["nameserver 192.0.2.53", "options timeout:1", "search corp.example"]
    for name, spec in (("default", {"dnsPolicy": "Default"}), ("on-host", {"hostNetwork": True})):
        assert sorted(asked(settled, name, **spec)) == own


def test_the_clusters_domain_is_that_of_host_names(settled: Space) -> None:
    log = settled.run_through("h", "hostname; cat /etc/hosts", subdomain="s", setHostnameAsFQDN=True)
    whole = f"h.s.{settled.name}.svc.test.example"
    assert log.startswith(f"{whole}\n")
    assert f"\t{whole}\th\n" in log


def test_unsafe_sysctls_that_are_allowed_are_set(settled: Space) -> None:
    wanted = [{"name": "kernel.msgmax", "value": "65536"}, {"name": "net.core.somaxconn", "value": "321"}]
    script = "cat /proc/sys/kernel/msgmax /proc/sys/net/core/somaxconn"
    assert settled.run_through("unsafe", script, securityContext={"sysctls": wanted}) == "65536\n321\n"


def test_system_calls_are_filtered_unless_the_pod_says_otherwise(settled: Space) -> None:
    unconfined: Object = {"securityContext": {"seccompProfile": {"type": "Unconfined"}}}
    script = "grep Seccomp: /proc/self/status"
    logs = settled.run_all(
        "filtered",
        pods.container(settled.image, script, name="default"),
        pods.container(settled.image, script, name="own", **unconfined),
    )
    assert {name: log.split()[1] for name, log in logs.items()} == {"default": "2", "own": "0"}
