"""The pod network's names and its CNI configuration."""

import json
from pathlib import Path

import pytest

from runtime.network.bridge import CONFLIST, PodNetwork, configured_ranges, gateways, write_conflist


def test_names_differ_by_home_and_fit_the_kernel() -> None:
    one, other = (PodNetwork(Path(home), ("10.1.0.0/24",)) for home in ("/a", "/b"))
    assert one.bridge != other.bridge
    assert one.table != other.table
    assert len(one.bridge.encode()) <= 15
    assert one.bridge == PodNetwork(Path("/a"), ()).bridge


def test_the_bridge_is_gateway_with_hairpin_and_without_masquerade() -> None:
    network = PodNetwork(Path("/a"), ("10.1.0.0/24",))
    (bridge,) = network.conflist(data_dir=Path("/data"), port_mapping=False)["plugins"]
    assert bridge["bridge"] == network.bridge
    assert (bridge["isGateway"], bridge["hairpinMode"], bridge["ipMasq"]) == (True, True, False)
    assert bridge["ipam"]["dataDir"] == "/data"
    assert bridge["ipam"]["ranges"] == [[{"subnet": "10.1.0.0/24"}]]
    assert "mtu" not in bridge


def test_two_families_get_two_ranges_and_two_routes() -> None:
    network = PodNetwork(Path("/a"), ("10.1.0.0/24", "fd00:1::/64"))
    (bridge,) = network.conflist(data_dir=Path("/data"), port_mapping=False, mtu=1400)["plugins"]
    assert bridge["ipam"]["routes"] == [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]
    assert bridge["mtu"] == 1400


def test_port_mapping_is_a_plugin_of_its_own() -> None:
    network = PodNetwork(Path("/a"), ("10.1.0.0/24",))
    plugins = network.conflist(data_dir=Path("/data"), port_mapping=True)["plugins"]
    assert [plugin["type"] for plugin in plugins] == ["bridge", "portmap"]


def test_an_unchanged_configuration_is_left_alone(tmp_path: Path) -> None:
    write_conflist(tmp_path, {"name": "x"})
    before = (tmp_path / CONFLIST).stat()
    write_conflist(tmp_path, {"name": "x"})
    assert (tmp_path / CONFLIST).stat().st_ino == before.st_ino
    write_conflist(tmp_path, {"name": "y"})
    assert json.loads((tmp_path / CONFLIST).read_text()) == {"name": "y"}
    assert [each.name for each in tmp_path.iterdir()] == [CONFLIST]


@pytest.mark.parametrize(
    ("cidr", "gateway"),
    [("10.1.0.0/24", "10.1.0.1"), ("fd00:1::/64", "fd00:1::1"), ("10.0.0.4/30", "10.0.0.5")],
)
def test_the_gateway_is_the_first_address(cidr: str, gateway: str) -> None:
    assert gateways([cidr]) == [gateway]


def test_the_ranges_are_read_back_from_the_configuration(tmp_path: Path) -> None:
    assert configured_ranges(tmp_path) == ()
    ranges = ("10.1.0.0/24", "fd00:1::/64")
    conflist = PodNetwork(Path("/a"), ranges).conflist(data_dir=tmp_path, port_mapping=False)
    write_conflist(tmp_path, conflist)
    assert configured_ranges(tmp_path) == ranges
    (tmp_path / CONFLIST).write_text("{half")
    assert configured_ranges(tmp_path) == ()
