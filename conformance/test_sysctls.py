"""Sysctls: the safe ones are set, others make the node refuse the pod, impossible ones the server."""

import pytest

from conformance.space import Space

pytestmark = pytest.mark.usefixtures("containers")


def test_safe_ones_are_set(space: Space) -> None:
    wanted = [
        {"name": "kernel.shm_rmid_forced", "value": "1"},
        {"name": "net/ipv4/ip_unprivileged_port_start", "value": "0"},
    ]
    script = "cat /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ip_unprivileged_port_start"
    assert space.run_through("safe", script, securityContext={"sysctls": wanted}) == "1\n0\n"


def test_others_are_refused_by_the_node(space: Space) -> None:
    wanted = [{"name": "kernel.msgmax", "value": "10000000000"}]
    space.run("unsafe", securityContext={"sysctls": wanted})
    status = space.phase("unsafe", "Failed")["status"]
    why = 'forbidden sysctl: "kernel.msgmax" not allowlisted'
    assert (status["reason"], status["message"]) == ("SysctlForbidden", f"Pod was rejected: {why}")
    assert "containerStatuses" not in status or all(
        "running" not in each["state"] for each in status["containerStatuses"]
    )
    event = space.event("unsafe", "SysctlForbidden")
    assert (event["type"], event["message"]) == ("Warning", why)


@pytest.mark.parametrize("name", ["foo-", "bar..", "kernel.shmmax$", "Kernel"])
def test_names_that_are_none_are_refused_by_the_server(space: Space, name: str) -> None:
    wanted = [{"name": name, "value": "bar"}]
    body = {
        "metadata": {"name": "wrong"},
        "spec": {
            "containers": [{"name": "main", "image": space.image}],
            "securityContext": {"sysctls": wanted},
        },
    }
    answer = space.rest.request("POST", space.path("pods"), body)
    assert answer.code == 422
    assert "spec.securityContext.sysctls[0].name" in answer.text
