"""Virtual nodes in a cluster's settings, certificates, configuration and processes."""

import json
import ssl
from pathlib import Path
from typing import Any

import pytest

from kubeling.cli.up import default_virtual_nodes
from kubeling.cluster import configuration, settings
from kubeling.cluster.__main__ import specifications
from kubeling.cluster.apiclient import ApiClient
from kubeling.cluster.decide import Wishes, decide
from kubeling.cluster.errors import ApiFailed
from kubeling.cluster.home import Home
from kubeling.cluster.keys import Pki
from kubeling.cluster.leftover import remove_virtual_nodes
from kubeling.cluster.prepare import prepare
from kubeling.cluster.settings import Settings


@pytest.fixture
def place(tmp_path: Path) -> Home:
    home = Home(root=tmp_path / "home", state=tmp_path / "state")
    home.create()
    return home


def decided(place: Home, wishes: Wishes) -> Settings:
    result = decide(place, wishes)
    settings.save(place, result)
    return result


def test_there_are_none_unless_asked_for(place: Home) -> None:
    kept = decided(place, Wishes(port=0, node=False))
    assert kept.virtual_nodes == 0
    assert [each.name for each in specifications(place, kept)] == ["server"]


def test_what_was_asked_for_is_kept_for_later_starts(place: Home) -> None:
    decided(
        place, Wishes(port=0, virtual_nodes=7, virtual_cpu="4", virtual_memory="8Gi", virtual_latency=0.5)
    )
    later = decided(place, Wishes(port=0))
    assert (later.virtual_nodes, later.virtual_cpu, later.virtual_memory) == (7, "4", "8Gi")
    assert later.virtual_latency == "0.5"
    assert decided(place, Wishes(port=0, virtual_nodes=0)).virtual_nodes == 0


def test_a_home_of_before_virtual_nodes_is_read(place: Home) -> None:
    decided(place, Wishes(port=0))
    document = json.loads(place.cluster_file.read_text())
    old = {key: value for key, value in document.items() if not key.startswith("virtual")}
    place.cluster_file.write_text(json.dumps(old))
    kept = settings.load(place)
    assert kept is not None
    assert (kept.virtual_nodes, kept.virtual_cpu) == (0, "32")


def test_one_process_beside_the_server_and_the_node(place: Home) -> None:
    kept = decided(place, Wishes(port=0, node=True, virtual_nodes=3))
    specs = specifications(place, kept)
    assert [each.name for each in specs] == ["server", "runtime", "virtual"]
    assert list(specs[-1].command)[-3:] == ["runtime.virtual", "--config", str(place.virtual_config)]


def test_its_ports_are_no_others(place: Home) -> None:
    kept = decided(place, Wishes(port=0, virtual_nodes=1))
    assert len({kept.port, kept.kubelet_port, kept.virtual_port}) == 3


def test_the_process_has_its_own_certificate_and_configuration(place: Home, tmp_path: Path) -> None:
    wishes = Wishes(port=0, node=False, virtual_nodes=2, user_kubeconfig=tmp_path / "kubeconfig")
    kept = prepare(place, wishes)
    document = json.loads(place.virtual_config.read_text())
    assert document["nodes"] == 2
    assert document["port"] == kept.virtual_port
    context = ssl.create_default_context()
    context.load_cert_chain(document["serving"]["certificate"], document["serving"]["key"])
    user = json.loads(place.virtual_kubeconfig.read_text())["users"][0]
    assert user["name"] == "kubeling:virtual-nodes"
    assert user["user"]["client-certificate"] == str(Pki(place.pki).virtual.certificate)


def test_without_them_nothing_of_theirs_is_made(place: Home, tmp_path: Path) -> None:
    prepare(place, Wishes(port=0, node=False, user_kubeconfig=tmp_path / "kubeconfig"))
    assert not place.virtual_config.exists()
    assert not Pki(place.pki).virtual.key.exists()


def test_the_configuration_is_what_the_process_reads(place: Home) -> None:
    kept = decided(place, Wishes(port=0, virtual_nodes=5, virtual_latency=1.5))
    document = configuration.virtual_document(place, kept, address="192.0.2.1")
    assert (document["latency"], document["address"], document["cpu"]) == (1.5, "192.0.2.1", "32")


def test_without_root_there_is_one_and_without_nodes_none(place: Home) -> None:
    assert default_virtual_nodes(None, no_node=False) == 1
    assert default_virtual_nodes(None, no_node=True) == 0
    kept = decided(place, Wishes(port=0, virtual_nodes=4))
    assert default_virtual_nodes(kept, no_node=False) == 4
    assert default_virtual_nodes(kept, no_node=True) == 0


class Nodes(ApiClient):
    """An API server that has virtual nodes and nothing else."""

    def __init__(self, *names: str, refuses: str = "") -> None:
        self.names = list(names)
        self.refuses = refuses
        self.asked = 0

    def request(self, method: str, path: str, **_: Any) -> Any:
        self.asked += 1
        if method == "GET":
            return {"items": [{"metadata": {"name": each}} for each in self.names]}
        name = path.rpartition("/")[2]
        if name == self.refuses:
            raise ApiFailed("it is ill")
        self.names.remove(name)
        return {}


def test_a_start_without_virtual_nodes_removes_those_of_an_earlier_one(place: Home) -> None:
    configuration.write(place, decided(place, Wishes(port=0, virtual_nodes=3)), address="192.0.2.1")
    nodes = Nodes("mine", "virtual-0", "virtual-1", "virtual-2", "virtual-x")
    assert remove_virtual_nodes(place, nodes) == 3
    assert nodes.names == ["mine", "virtual-x"]


def test_virtual_nodes_that_could_not_be_removed_are_tried_again_at_the_next_start(place: Home) -> None:
    configuration.write(place, decided(place, Wishes(port=0, virtual_nodes=2)), address="192.0.2.1")
    nodes = Nodes("virtual-0", "virtual-1", refuses="virtual-1")
    with pytest.raises(ApiFailed):
        remove_virtual_nodes(place, nodes)
    nodes.refuses = ""
    assert remove_virtual_nodes(place, nodes) == 1


def test_nobody_asks_for_virtual_nodes_where_there_never_were_any(place: Home) -> None:
    nodes = Nodes("virtual-0")
    assert remove_virtual_nodes(place, nodes) == 0
    assert nodes.asked == 0
