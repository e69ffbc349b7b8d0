"""The nftables rules for pods' packets to the world; checked by nft itself where it may be used."""

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from runtime.network import masquerade
from runtime.network.masquerade import install_masquerade, remove_masquerade

TABLE = "kubeling_test_masq"


@pytest.fixture
def applied(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    commands: list[dict[str, Any]] = []
    monkeypatch.setattr(masquerade, "_apply", commands.extend)
    return commands


def test_what_leaves_the_cluster_is_masqueraded(applied: list[dict[str, Any]]) -> None:
    install_masquerade(TABLE, pod_cidrs=["10.1.2.0/24"], cluster_cidrs=["10.1.0.0/16"])
    (rule,) = [each["add"]["rule"] for each in applied if "rule" in each.get("add", {})]
    fields = [each["match"]["left"]["payload"]["field"] for each in rule["expr"][:-1]]
    assert fields == ["saddr", "daddr", "daddr"]
    assert rule["expr"][-1] == {"masquerade": None}


def test_a_family_without_pods_has_no_table(applied: list[dict[str, Any]]) -> None:
    install_masquerade(TABLE, pod_cidrs=["10.1.2.0/24"], cluster_cidrs=["10.1.0.0/16"])
    last = {each_family(each): next(iter(each)) for each in applied}
    assert last == {"ip": "add", "ip6": "delete"}


def each_family(command: dict[str, Any]) -> str:
    ((_, target),) = command.items()
    ((_, values),) = target.items()
    return str(values["family"])


@pytest.fixture
def real_table() -> Iterator[str]:
    if os.geteuid() != 0 or not os.path.exists("/usr/sbin/nft"):
        if os.environ.get("CI") == "true":
            pytest.fail("needs root and nftables")
        pytest.skip("needs root and nftables")
    yield TABLE
    remove_masquerade(TABLE)


def test_nftables_accepts_the_rules_and_replaces_them(real_table: str) -> None:
    for _ in range(2):
        install_masquerade(
            real_table,
            pod_cidrs=["10.1.2.0/24", "fd00:1::/64"],
            cluster_cidrs=["10.1.0.0/16", "fd00::/16"],
        )
    for family in ("ip", "ip6"):
        command = ["/usr/sbin/nft", "-j", "list", "table", family, real_table]
        listed = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        assert sum("rule" in each for each in listed["nftables"]) == 1


def test_removing_what_is_not_there_is_harmless(real_table: str) -> None:
    remove_masquerade(real_table)
    remove_masquerade(real_table)
