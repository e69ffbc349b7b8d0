"""The names that a pod bears and asks by: its host name, /etc/hosts, resolv.conf."""

from pathlib import Path
from typing import Any

import pytest

from runtime.pods.sandbox.dns import LOCAL, ClusterDns, ResolvConf, parse, pod_dns, read
from runtime.pods.sandbox.hosts import NameTooLong, hostname, hosts_file, kernel_hostname

NODE = parse("# comment\nnameserver 1.1.1.1\nsearch a b.\noptions ndots:5 rotate\n")
ALONE = ClusterDns()
CLUSTER = ClusterDns(("10.96.0.10",), "cluster.local")


def a_pod(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "web-0", "namespace": "n", "uid": "u"}, "spec": spec}


def config(
    cluster: ClusterDns = ALONE, node: ResolvConf = NODE, **spec: Any
) -> tuple[list[str], list[str], list[str]]:
    made = pod_dns(a_pod(**spec), node, cluster).config
    return list(made.servers), list(made.searches), list(made.options)


def test_dns_policy_none_takes_nothing_from_the_node() -> None:
    extra = {"nameservers": ["2.2.2.2"], "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]}
    assert config(dnsPolicy="None", dnsConfig=extra) == (["2.2.2.2"], [], ["ndots:2", "edns0"])


def test_the_pods_dns_settings_come_after_the_nodes() -> None:
    extra = {"nameservers": ["2.2.2.2", "1.1.1.1"], "searches": ["c"], "options": [{"name": "ndots"}]}
    expected = (["1.1.1.1", "2.2.2.2"], ["a", "b", "c"], ["ndots", "rotate"])
    assert config(dnsPolicy="Default", dnsConfig=extra) == expected


@pytest.mark.parametrize(
    "spec", [{"dnsPolicy": "ClusterFirst"}, {"dnsPolicy": "ClusterFirstWithHostNet", "hostNetwork": True}]
)
def test_the_cluster_dns_comes_first_when_there_is_one(spec: dict[str, Any]) -> None:
    searches = ["n.svc.cluster.local", "svc.cluster.local", "cluster.local", "a", "b"]
    assert config(CLUSTER, **spec) == (["10.96.0.10"], searches, ["ndots:5"])


def test_pods_on_the_hosts_network_ask_the_nodes_servers() -> None:
    assert config(CLUSTER, dnsPolicy="ClusterFirst", hostNetwork=True)[0] == ["1.1.1.1"]


def test_without_a_cluster_dns_the_nodes_is_taken_with_a_complaint() -> None:
    made = pod_dns(a_pod(dnsPolicy="ClusterFirst"), NODE, ClusterDns())
    assert list(made.config.servers) == ["1.1.1.1"]
    why = (
        'pod: "web-0_n(u)". kubelet does not have ClusterDNS IP configured and cannot create Pod using '
        '"ClusterFirst" policy. Falling back to "Default" policy.'
    )
    assert made.complaints == (("MissingClusterDNS", why),)


def test_a_node_that_is_told_to_have_no_resolv_conf_leaves_pods_to_themselves() -> None:
    assert read("") is LOCAL
    assert config(node=LOCAL, dnsPolicy="Default") == (["127.0.0.1"], ["."], [])
    assert "." not in config(CLUSTER, node=LOCAL)[1]


def test_a_resolver_that_only_the_node_reaches_is_passed_over(tmp_path: Path) -> None:
    stub, behind = tmp_path / "stub", tmp_path / "behind"
    stub.write_text("nameserver 127.0.0.53\nsearch here\n")
    files = {"standard": str(stub), "resolved": str(behind)}
    assert read(str(stub), **files).servers == ("127.0.0.53",)
    behind.write_text("nameserver 192.0.2.53\nsearch corp\n")
    assert read(str(stub), **files) == ResolvConf(("192.0.2.53",), ("corp",))
    assert read(str(stub), resolved=str(behind)).servers == ("127.0.0.53",), "somebody has named this file"
    stub.write_text("nameserver 127.0.0.53\nnameserver 192.0.2.1\n")
    assert len(read(str(stub), **files).servers) == 2


def test_too_many_servers_are_cut_and_it_is_said() -> None:
    made = pod_dns(
        a_pod(dnsPolicy="Default", dnsConfig={"nameservers": ["2.2.2.2", "3.3.3.3", "4.4.4.4"]}),
        NODE,
        ClusterDns(),
    )
    why = (
        "Nameserver limits were exceeded, some nameservers have been omitted, "
        "the applied nameserver line is: 1.1.1.1 2.2.2.2 3.3.3.3"
    )
    assert made.complaints == (("DNSConfigForming", why),)


@pytest.mark.parametrize(
    ("searches", "left"),
    [
        ([f"s{n}" for n in range(33)], 32),
        (["x" * 254, "short"], 1),
        (["y" * 200 + str(n) for n in range(12)], 10),
    ],
    ids=["many", "long", "together"],
)
def test_too_long_a_search_list_is_cut(searches: list[str], left: int) -> None:
    made = pod_dns(a_pod(dnsPolicy="None", dnsConfig={"searches": searches}), NODE, ClusterDns())
    assert len(made.config.searches) == left
    assert made.complaints[0][1].startswith("Search Line limits were exceeded, some search paths have been")


def test_the_hosts_file_of_a_pod() -> None:
    aliases = [{"ip": "1.2.3.4", "hostnames": ["a", "b"]}]
    pod = a_pod(subdomain="web", hostAliases=aliases)
    text = hosts_file(pod, ["10.0.0.1"], node_hosts="", cluster_domain="cluster.local")
    assert text.startswith("# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n")
    assert "\n10.0.0.1\tweb-0.web.n.svc.cluster.local\tweb-0\n" in text
    assert text.endswith("\n# Entries added by HostAliases.\n1.2.3.4\ta\tb\n")


def test_pods_on_the_hosts_network_see_its_hosts_file() -> None:
    pod = a_pod(hostNetwork=True)
    text = hosts_file(pod, ["10.0.0.1"], node_hosts="127.0.0.1 me\n", cluster_domain="cluster.local")
    assert text == "# Kubernetes-managed hosts file (host network).\n127.0.0.1 me\n"


def test_a_long_host_name_is_cut() -> None:
    assert hostname({"metadata": {"name": f"{'a' * 62}-bcd"}}) == "a" * 62


def test_a_host_name_that_overrides_has_no_domain() -> None:
    pod = a_pod(hostnameOverride="own.example", subdomain="web", setHostnameAsFQDN=True)
    assert kernel_hostname(pod, "cluster.local") == "own.example"
    text = hosts_file(pod, ["10.0.0.1"], node_hosts="", cluster_domain="cluster.local")
    assert "\n10.0.0.1\town.example\n" in text


def test_the_kernel_knows_the_whole_name_where_it_is_asked_for() -> None:
    whole = a_pod(subdomain="web", setHostnameAsFQDN=True)
    assert kernel_hostname(whole, "cluster.local") == "web-0.web.n.svc.cluster.local"
    assert kernel_hostname(a_pod(subdomain="web"), "cluster.local") == "web-0"
    assert kernel_hostname(a_pod(setHostnameAsFQDN=True), "cluster.local") == "web-0"


def test_a_whole_name_that_is_too_long_for_the_kernel_is_refused() -> None:
    pod = a_pod(hostname="h" * 41, subdomain="web", setHostnameAsFQDN=True)
    with pytest.raises(NameTooLong, match=r"is too long \(64 characters is the max, 65 char") as caught:
        kernel_hostname(pod, "cluster.local")
    assert "failed to construct FQDN" in str(caught.value)
