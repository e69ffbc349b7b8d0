"""Reading the kernel's tables of addresses and routes; names that an object may have."""

import socket
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from kubeling.cluster import machine

TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 192.0.2.0
        /24 link UNICAST
     |-- 192.0.2.2
        /32 host LOCAL
     |-- 192.0.2.255
        /32 link BROADCAST
Local:
     |-- 169.254.1.1
        /32 host LOCAL
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 192.0.2.2
        /32 host LOCAL
"""
IF_INET6 = """\
20010db8000000000000000000000002 04 40 00 82     eth0
fe8000000000000000fc00fffe000001 04 40 20 80     eth0
00000000000000000000000000000001 01 80 10 80       lo
"""
ROUTE = """\
Iface	Destination	Gateway 	Flags	RefCnt	Use	Metric	Mask		MTU	Window	IRTT
eth0	00000000	010200C0	0003	0	0	0	00000000	0	0	0
eth0	000200C0	00000000	0001	0	0	0	00FFFFFF	0	0	0
cni0	0000F40A	00000000	0001	0	0	0	0000FFFF	0	0	0
"""


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    for name, text in (("fib_trie", TRIE), ("if_inet6", IF_INET6), ("route", ROUTE)):
        (tmp_path / name).write_text(text)
    return tmp_path


def test_addresses_are_those_of_the_machine_without_link_local_ones(proc: Path) -> None:
    assert machine.addresses(proc) == ["127.0.0.1", "192.0.2.2", "::1", "2001:db8::2"]


def test_routes_are_networks_without_the_default_route(proc: Path) -> None:
    assert machine.routes(proc) == [IPv4Network("192.0.2.0/24"), IPv4Network("10.244.0.0/16")]


def test_a_machine_without_tables_has_nothing(tmp_path: Path) -> None:
    assert machine.addresses(tmp_path) == []
    assert machine.routes(tmp_path) == []


@pytest.mark.parametrize(
    ("host", "node"),
    [
        ("vm", "vm"),
        ("My_Laptop.local", "my-laptop.local"),
        ("-x-", "x"),
        ("...", "node"),
        ("a" * 60, "a" * 52),
        (f"{'a' * 51}.b", "a" * 51),
    ],
)
def test_node_names_are_lower_case_subdomains(monkeypatch: pytest.MonkeyPatch, host: str, node: str) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    assert machine.node_name() == node
