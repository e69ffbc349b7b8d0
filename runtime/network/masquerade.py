"""Lets pods reach the world: their packets leave the machine under its own address.

One nftables table of our own, replaced in one transaction. Not responsible for services (the service proxy
has a table of its own) nor for other programs' rules, which stay untouched.
"""

import ipaddress
import json
import subprocess
from collections.abc import Sequence
from typing import Any

from runtime.cri.machine import find_binary
from runtime.errors import MachineNotReady

_SRCNAT = 100  # the hook's priority for source address translation


def install_masquerade(table: str, *, pod_cidrs: Sequence[str], cluster_cidrs: Sequence[str]) -> None:
    """Masquerade what pods of this node send to others than pods; replaces what an earlier call installed."""
    commands: list[dict[str, Any]] = []
    for family, version in (("ip", 4), ("ip6", 6)):
        sources = [cidr for cidr in pod_cidrs if ipaddress.ip_network(cidr).version == version]
        inside = [cidr for cidr in cluster_cidrs if ipaddress.ip_network(cidr).version == version]
        commands += _family(table, family, sources, inside) if sources else _absent(table, family)
    _apply(commands)


def remove_masquerade(table: str) -> None:
    """Take the table away, if it is there."""
    _apply(_absent(table, "ip") + _absent(table, "ip6"))


def _family(table: str, family: str, sources: Sequence[str], inside: Sequence[str]) -> list[dict[str, Any]]:
    chain = {
        "family": family,
        "table": table,
        "name": "postrouting",
        "type": "nat",
        "hook": "postrouting",
        "prio": _SRCNAT,
        "policy": "accept",
    }
    multicast = "224.0.0.0/4" if family == "ip" else "ff00::/8"
    rules = [_rule(table, family, source, [*inside, multicast]) for source in sources]
    return [*_absent(table, family), _add_table(table, family), {"add": {"chain": chain}}, *rules]


def _rule(table: str, family: str, source: str, excepted: Sequence[str]) -> dict[str, Any]:
    expression = [_match(family, "saddr", "==", source)]
    expression += [_match(family, "daddr", "!=", cidr) for cidr in excepted]
    expression += [{"masquerade": None}]
    return {"add": {"rule": {"family": family, "table": table, "chain": "postrouting", "expr": expression}}}


def _match(family: str, field: str, operator: str, cidr: str) -> dict[str, Any]:
    network = ipaddress.ip_network(cidr)
    return {
        "match": {
            "op": operator,
            "left": {"payload": {"protocol": family, "field": field}},
            "right": {"prefix": {"addr": str(network.network_address), "len": network.prefixlen}},
        }
    }


def _add_table(table: str, family: str) -> dict[str, Any]:
    return {"add": {"table": {"family": family, "name": table}}}


def _absent(table: str, family: str) -> list[dict[str, Any]]:
    """Adding before deleting makes the deletion succeed whether the table was there or not."""
    return [_add_table(table, family), {"delete": {"table": {"family": family, "name": table}}}]


def _apply(commands: list[dict[str, Any]]) -> None:
    result = subprocess.run(
        [find_binary("nft"), "-j", "-f", "-"],
        input=json.dumps({"nftables": commands}),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if result.returncode != 0:
        reason = (result.stderr or result.stdout).strip()
        raise MachineNotReady(f"nftables refuses the pod network's rules: {reason}")
