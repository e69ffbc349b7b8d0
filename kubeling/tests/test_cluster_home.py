"""A home directory: where it is, whose it is, what is decided in it once and kept."""

import contextlib
import errno
import json
import os
import socket
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from kubeling.cluster import configuration, datastore, decide, home, podcidr, ports, settings
from kubeling.cluster.decide import Wishes
from kubeling.cluster.errors import ClusterError, HomeError, PortBusy, UsageError
from kubeling.cluster.home import Home


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(decide, "states_directory", lambda: tmp_path / "states")
    root = tmp_path / "home"
    root.mkdir()
    return Home(root=root, state=tmp_path / "states" / "own")


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("", 0))
        listener.listen()
        yield listener.getsockname()[1]


def decided(place: Home, wishes: Wishes) -> settings.Settings:
    result = decide.decide(place, wishes)
    settings.save(place, result)
    return result


def test_the_option_goes_before_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBELING_HOME", str(tmp_path / "variable"))
    assert home.locate().root == tmp_path / "variable"
    assert home.locate(tmp_path / "option").root == tmp_path / "option"


def test_two_homes_have_two_state_directories_with_short_names(tmp_path: Path) -> None:
    first, second = home.locate(tmp_path / "a"), home.locate(tmp_path / "b")
    assert first.state != second.state
    assert len(first.state.name) == 8


def test_a_strangers_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(HomeError, match=r"thesis\.tex"):
        home.locate(tmp_path).require_usable()


def test_a_new_or_empty_directory_is_usable(tmp_path: Path) -> None:
    home.locate(tmp_path).require_usable()
    home.locate(tmp_path / "new").require_usable()


def test_what_a_user_puts_there_before_the_first_start_is_not_a_stranger_s(tmp_path: Path) -> None:
    (tmp_path / "kubelet.yaml").touch()
    (tmp_path / "images").mkdir()
    home.locate(tmp_path).require_usable()
    assert home.locate(tmp_path).blank()


def test_a_place_where_nothing_can_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match="Not a directory"):
        home.locate(tmp_path / "file" / "home")
    with pytest.raises(HomeError, match="is not a directory"):
        home.locate(tmp_path / "file")
    with pytest.raises(HomeError, match="File name too long"):
        home.locate(tmp_path / ("x" * 300))
    with pytest.raises(HomeError, match="/proc/nowhere cannot be created"):
        home.locate(Path("/proc/nowhere")).create()


def test_a_file_that_cannot_be_written_is_named_with_the_reason(place: Home) -> None:
    with pytest.raises(HomeError, match=r"/dev/full cannot be written: No space left"), place.writing():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/dev/full")


def test_settings_survive_being_saved(place: Home) -> None:
    saved = decided(place, Wishes(port=0, user_kubeconfig=Path("/home/me/config")))
    assert settings.load(place) == saved


def test_another_versions_home_is_refused_with_both_versions_named(place: Home) -> None:
    place.cluster_file.write_text(json.dumps({"layout": 99, "kubeling": "9.0.0"}))
    with pytest.raises(HomeError, match=r"belongs to kubeling 9\.0\.0"):
        settings.load(place)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"layout": 1}', '{"layout": 1, "port": "6443"}'])
def test_a_damaged_file_is_named(place: Home, text: str) -> None:
    place.cluster_file.write_text(text)
    with pytest.raises(HomeError):
        settings.load(place)


def test_no_file_means_no_cluster(place: Home) -> None:
    assert settings.load(place) is None


def test_ports_are_kept_for_later_starts(place: Home) -> None:
    first = decided(place, Wishes(port=0))
    assert decided(place, Wishes()).port == first.port
    assert decided(place, Wishes(port=0)) == first


def test_a_busy_api_port_is_an_error_that_names_the_way_out(place: Home, busy_port: int) -> None:
    with pytest.raises(PortBusy, match=f"port {busy_port} is in use") as caught:
        decide.decide(place, Wishes(port=busy_port))
    assert "--port" in caught.value.hint


def test_a_busy_kubelet_port_is_replaced(
    place: Home, busy_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decide, "KUBELET_PORT", busy_port)
    chosen = decide.decide(place, Wishes(port=0))
    assert chosen.kubelet_port not in (busy_port, chosen.port)
    assert ports.is_free(chosen.kubelet_port)


def test_a_sqlite_url_is_accepted_and_kept(place: Home) -> None:
    decided(place, Wishes(port=0, datastore="sqlite:////srv/x.db"))
    assert decided(place, Wishes()).datastore == "sqlite:////srv/x.db"


def test_a_relative_datastore_lies_where_the_user_is(place: Home, tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path):
        chosen = decided(place, Wishes(port=0, datastore="sqlite:///x.db"))
    assert chosen.datastore == f"sqlite:///{tmp_path}/x.db"


def test_every_home_has_its_database_inside_whatever_its_name(tmp_path: Path) -> None:
    place = home.locate(tmp_path / "100%41 #1 or 2? å")
    place.create()
    assert datastore.sqlite_file(decided(place, Wishes(port=0)).datastore) == place.database


@pytest.mark.parametrize("rest", ["", "/", "/tmp", "/srv/x.db?mode=ro"])
def test_a_datastore_has_to_name_a_file(place: Home, rest: str) -> None:
    with pytest.raises(UsageError, match="does not name a file"):
        decide.decide(place, Wishes(port=0, datastore=f"sqlite:///{rest}"))


def test_another_datastore_is_refused_without_showing_its_password(place: Home) -> None:
    with pytest.raises(UsageError) as caught:
        decide.decide(place, Wishes(port=0, datastore="mysql://me:secret@db/x?password=secret"))
    assert "secret" not in caught.value.message
    assert "sqlite:////" in caught.value.hint


def test_a_postgresql_datastore_is_kept_as_it_is(place: Home) -> None:
    url = "postgresql://me:secret@db:5433/objects?sslmode=require"
    assert decided(place, Wishes(port=0, datastore=url)).datastore == url
    assert decided(place, Wishes()).datastore == url
    assert datastore.shown(url) == "postgresql://me@db:5433/objects?sslmode=require"
    assert datastore.sqlite_file(url) is None


@pytest.mark.parametrize("url", ["postgresql://me@db", "postgresql:///", "postgresql://db:port/x"])
def test_a_postgresql_datastore_has_to_name_a_database(place: Home, url: str) -> None:
    with pytest.raises(UsageError, match="datastore 'postgresql://"):
        decide.decide(place, Wishes(port=0, datastore=url))


def test_a_cri_endpoint_has_to_be_a_socket(place: Home, tmp_path: Path) -> None:
    path = tmp_path / "cri.sock"
    with pytest.raises(UsageError, match="no container runtime listens"):
        decide.decide(place, Wishes(port=0, cri_endpoint=str(path)))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        with pytest.raises(UsageError, match="no container runtime listens"):
            decide.decide(place, Wishes(port=0, cri_endpoint=str(path)))
        listener.listen()
        assert decide.decide(place, Wishes(port=0, cri_endpoint=str(path))).cri_endpoint == f"unix://{path}"


def test_the_pod_network_avoids_routes() -> None:
    taken = [IPv4Network("10.244.3.0/24"), IPv4Network("10.242.0.0/15")]
    assert podcidr.choose([]) == "10.244.0.0/16"
    assert podcidr.choose(taken) == "10.241.0.0/16"


def test_the_pod_network_avoids_clusters_that_exist_and_have_no_route_yet(
    place: Home, tmp_path: Path
) -> None:
    other = Home(root=tmp_path / "other", state=tmp_path / "states" / "other")
    podcidr.claim(other, "10.244.0.0/16")
    podcidr.claim(place, "10.243.0.0/16")
    assert list(podcidr.claimed(tmp_path / "states", but=place)) == []
    other.root.mkdir()
    other.cluster_file.touch()
    assert list(podcidr.claimed(tmp_path / "states", but=place)) == [IPv4Network("10.244.0.0/16")]


def test_no_network_left_is_said() -> None:
    with pytest.raises(ClusterError, match="no network"):
        podcidr.choose([IPv4Network("10.0.0.0/8")])


def test_the_configuration_holds_what_the_contract_says(place: Home) -> None:
    chosen = decide.decide(place, Wishes(port=0))
    configuration.write(place, chosen, address="192.0.2.2")
    server = json.loads(place.server_config.read_text())
    node = json.loads(place.node_config.read_text())
    assert server["port"] == chosen.port
    assert server["advertiseAddress"] == node["nodeIP"] == "192.0.2.2"
    assert server["datastore"] == f"sqlite:///{place.root}/server/kubeling.db"
    assert node["criEndpoint"] is None
    assert node["state"] == str(place.state)
    assert server["podCIDR"] == node["podCIDR"] == chosen.pod_cidr


def test_the_kubernetes_service_has_the_first_address() -> None:
    assert configuration.first_service_address("10.96.0.0/12") == "10.96.0.1"


def test_a_configuration_of_the_scheduler_in_the_home_is_the_servers(place: Home) -> None:
    chosen = decide.decide(place, Wishes(port=0))
    assert configuration.server_document(place, chosen, address="192.0.2.2")["schedulerConfig"] is None
    place.scheduler_config.write_text("kind: KubeSchedulerConfiguration\n")
    server = configuration.server_document(place, chosen, address="192.0.2.2")
    assert server["schedulerConfig"] == str(place.root / "scheduler.yaml")
