"""Which sysctls a node lets a pod set."""

import pytest

from runtime.sysctls import SysctlError, allowed, dotted

KERNEL = (6, 1)


def refusal(name: str, *patterns: str, network: bool = False, ipc: bool = False) -> str:
    """ "" when it is allowed."""
    try:
        allowed(KERNEL, patterns).check(name, host_network=network, host_ipc=ipc)
    except SysctlError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", ["kernel.shm_rmid_forced", "kernel/shm_rmid_forced", "net.ipv4.tcp_rmem"])
def test_safe_ones_are_allowed(name: str) -> None:
    assert refusal(name) == ""


def test_others_are_not_unless_the_node_allows_them() -> None:
    assert refusal("kernel.msgmax") == '"kernel.msgmax" not allowlisted'
    assert refusal("kernel.msgmax", "kernel.msg*") == ""
    assert refusal("net/core/somaxconn", "net.core.somaxconn") == ""


def test_what_would_change_the_hosts_own_is_refused() -> None:
    why = '"kernel.shm_rmid_forced" not allowed with host IPC enabled'
    assert refusal("kernel.shm_rmid_forced", ipc=True) == why
    why = '"net.core.somaxconn" not allowed with host Net enabled'
    assert refusal("net.core.somaxconn", "net.*", network=True) == why


def test_an_old_kernel_makes_some_of_them_unsafe() -> None:
    with pytest.raises(SysctlError, match="not allowlisted"):
        allowed((4, 4)).check("net.ipv4.tcp_keepalive_time", host_network=False, host_ipc=False)


@pytest.mark.parametrize("pattern", ["vm.swappiness", "kernel.*", "Kernel.shm", "kernel.shm..x"])
def test_a_pattern_for_what_all_share_is_an_error(pattern: str) -> None:
    with pytest.raises(SysctlError):
        allowed(KERNEL, [pattern])


def test_slashes_become_dots_and_dots_slashes() -> None:
    assert dotted("net/ipv4/conf/eth0.1/rp_filter") == "net.ipv4.conf.eth0/1.rp_filter"
    assert dotted("net.ipv4.conf.eth0/1.rp_filter") == "net.ipv4.conf.eth0/1.rp_filter"
