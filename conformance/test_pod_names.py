"""What a pod is called and whom it asks for names: host name, /etc/hosts, /etc/resolv.conf."""

import pytest

from conformance import pods
from conformance.rest import Object
from conformance.space import Space

pytestmark = pytest.mark.usefixtures("containers")
HEADER = "# Kubernetes-managed hosts file."
NAMES = "hostname; cat /etc/hostname; "
HOSTS = "echo; cat /etc/hosts"


def managed(space: Space, name: str, **more: object) -> Object:
    """A container that shows its own /etc/hosts, and the node's."""
    mounts = [{"name": "node", "mountPath": "/etc/hosts-original"}]
    return {**pods.container(space.image, "cat /etc/hosts", name=name, volumeMounts=mounts), **more}


NODE_HOSTS = {"volumes": [{"name": "node", "hostPath": {"path": "/etc/hosts", "type": "File"}}]}


def test_the_hosts_file_is_the_nodes_work(space: Space) -> None:
    own = [{"name": "node", "mountPath": "/etc/hosts"}]
    logs = space.run_all(
        "managed",
        managed(space, "first"),
        managed(space, "second"),
        managed(space, "own", volumeMounts=own),
        **NODE_HOSTS,
    )
    assert logs["first"].startswith(HEADER + "\n127.0.0.1\tlocalhost\n")
    assert logs["first"] == logs["second"]
    assert f"{space.pod('managed')['status']['podIP']}\tmanaged\n" in logs["first"]
    assert HEADER not in logs["own"]


def test_on_the_hosts_network_the_nodes_hosts_are_seen(space: Space) -> None:
    script = "cat /etc/hosts; echo --; cat /etc/hosts-original; echo --; hostname"
    mounts = [{"name": "node", "mountPath": "/etc/hosts-original"}]
    alias = {"ip": "192.0.2.9", "hostnames": ["foo.remote"]}
    main = pods.container(space.image, script, volumeMounts=mounts)
    log = space.run_all("hosted", main, **NODE_HOSTS, hostNetwork=True, hostAliases=[alias])["main"]
    hosts, original, name = log.split("--\n")
    assert hosts == (
        f"# Kubernetes-managed hosts file (host network).\n{original}"
        "\n# Entries added by HostAliases.\n192.0.2.9\tfoo.remote\n"
    )
    assert HEADER not in hosts
    assert name.strip() != "hosted"


def test_aliases_are_added_to_the_hosts_file(space: Space) -> None:
    aliases = [
        {"ip": "123.45.67.89", "hostnames": ["foo", "bar"]},
        {"ip": "192.0.2.1", "hostnames": ["foo.remote"]},
    ]
    log = space.run_through("aliased", "cat /etc/hosts", hostAliases=aliases)
    assert "\n# Entries added by HostAliases.\n123.45.67.89\tfoo\tbar\n192.0.2.1\tfoo.remote\n" in log


def test_the_host_name_is_the_pods_name(space: Space) -> None:
    assert space.run_through("named", NAMES) == "named\nnamed\n"
    long = "n" * 62 + "-x"
    assert space.run_through(long, NAMES) == f"{'n' * 62}\n" * 2


def test_a_host_name_of_its_own_and_a_subdomain(space: Space) -> None:
    log = space.run_through("inside", NAMES + HOSTS, hostname="chosen", subdomain="group")
    assert log.startswith("chosen\nchosen\n")
    address = space.pod("inside")["status"]["podIP"]
    assert f"{address}\tchosen.group.{space.name}.svc.cluster.local\tchosen\n" in log


def test_the_whole_name_as_host_name(space: Space) -> None:
    spec = {"hostname": "h", "subdomain": "s", "setHostnameAsFQDN": True}
    whole = f"h.s.{space.name}.svc.cluster.local"
    assert space.run_through("whole", NAMES, **spec) == f"{whole}\n{whole}\n"
    assert space.run_through("without", NAMES, setHostnameAsFQDN=True) == "without\nwithout\n"


def test_a_whole_name_that_is_too_long_is_told(space: Space) -> None:
    space.run("long", hostname="h" * 40, subdomain="s", setHostnameAsFQDN=True)
    whole = f"{'h' * 40}.s.{space.name}.svc.cluster.local"
    why = (
        "Failed to create pod sandbox: failed to construct FQDN from pod hostname and cluster domain, "
        f"FQDN {whole} is too long (64 characters is the max, {len(whole)} characters requested)"
    )
    assert space.event("long", "FailedCreatePodSandBox")["message"] == why


def test_a_host_name_that_overrides_all_others(space: Space) -> None:
    spec = {"hostname": "h", "subdomain": "s", "hostnameOverride": "override.example"}
    log = space.run_through("overridden", NAMES + HOSTS, **spec)
    assert log.startswith("override.example\noverride.example\n")
    assert f"{space.pod('overridden')['status']['podIP']}\toverride.example\n" in log


# --- resolv.conf ---


def resolv_conf(log: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"nameserver": [], "search": [], "options": []}
    for line in log.splitlines():
        kind, *words = line.split()
        found[kind] += words
    return found


def test_only_what_the_pod_says(space: Space) -> None:
    config = {
        "nameservers": ["192.0.2.53"],
        "searches": ["resolv.conf.local"],
        "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}],
    }
    log = space.run_through("alone", "cat /etc/resolv.conf", dnsPolicy="None", dnsConfig=config)
    assert resolv_conf(log) == {
        "nameserver": ["192.0.2.53"],
        "search": ["resolv.conf.local"],
        "options": ["ndots:2", "edns0"],
    }


def test_what_the_pod_says_beside_the_nodes(space: Space) -> None:
    """A pod on the host's network with the policy `Default` sees what the node has."""
    node = resolv_conf(space.run_through("node", "grep -v '^#' /etc/resolv.conf", dnsPolicy="Default"))
    config = {"searches": ["added.local"], "options": [{"name": "attempts", "value": "1"}]}
    log = space.run_through("added", "cat /etc/resolv.conf", dnsPolicy="Default", dnsConfig=config)
    found = resolv_conf(log)
    assert found["nameserver"] == node["nameserver"]
    assert found["search"] == [*node["search"], "added.local"]
    assert "attempts:1" in found["options"]


def test_too_many_servers_are_cut_with_an_event(space: Space) -> None:
    servers = [f"192.0.2.{number}" for number in range(1, 4)]
    config = {"nameservers": servers, "searches": [f"s{number}.local" for number in range(32)]}
    space.run("many", "cat /etc/resolv.conf", dnsPolicy="Default", dnsConfig=config)
    space.phase("many", "Succeeded")
    found = resolv_conf(space.log("many"))
    assert len(found["nameserver"]) <= 3
    assert len(found["search"]) <= 32
    node = resolv_conf(space.run_through("node", "grep -v '^#' /etc/resolv.conf", dnsPolicy="Default"))
    if node["nameserver"]:
        message = space.event("many", "DNSConfigForming")["message"]
        assert message.startswith("Nameserver limits were exceeded, some nameservers have been omitted, the")
