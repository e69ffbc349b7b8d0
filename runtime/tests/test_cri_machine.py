"""What the machine offers, and how its lacks are told."""

from pathlib import Path

import pytest

from runtime.cri import machine
from runtime.errors import MachineNotReady


def test_a_missing_program_is_told_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(machine, "_SYSTEM_PATH", "")
    with pytest.raises(MachineNotReady, match="apt-get install nftables"):
        machine.find_binary("nft")
    with pytest.raises(MachineNotReady, match="apt-get install containerd nftables runc"):
        machine.require_binaries()


def test_the_first_complete_directory_of_cni_plugins_is_taken(tmp_path: Path) -> None:
    for name in ("bridge", "host-local", "loopback"):
        (tmp_path / name).touch()
    assert machine.find_cni_dir(["/nonexistent", str(tmp_path)]) == str(tmp_path)


def test_other_runtimes_become_handlers(tmp_path: Path) -> None:
    for name in ("containerd-shim-runc-v2", "containerd-shim-kata-v2", "containerd-shim-runsc-v1", "crun"):
        (tmp_path / name).touch(mode=0o755)
    found = machine.runtime_handlers(str(tmp_path))
    assert {name: each["runtime_type"] for name, each in found.items()} == {
        "crun": "io.containerd.runc.v2",
        "kata": "io.containerd.kata.v2",
        "runsc": "io.containerd.runsc.v1",
    }
    assert found["crun"]["options"] == {"BinaryName": str(tmp_path / "crun")}


def test_missing_cni_plugins_are_told_with_their_package(tmp_path: Path) -> None:
    with pytest.raises(MachineNotReady, match="apt-get install containernetworking-plugins"):
        machine.find_cni_dir([str(tmp_path)])


@pytest.mark.parametrize(
    ("effective", "bounding", "expected"),
    [("000001ffffffffff", "000001ffffffffff", True), ("000001fffeffffff", "000001ffffffffff", False),
     ("000001ffffffffff", "000001fffeffffff", False)],
)  # fmt: skip
def test_a_capability_counts_only_in_both_sets(
    tmp_path: Path, effective: str, bounding: str, expected: bool
) -> None:
    status = tmp_path / "status"
    status.write_text(f"Name:\tx\nCapEff:\t{effective}\nCapBnd:\t{bounding}\n")
    assert machine.has_capability(machine.CAP_SYS_RESOURCE, status=status) is expected
