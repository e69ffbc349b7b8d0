"""The configuration file, and starting with a bad one."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from server.config import Config, ConfigError, load, parse
from server.main import main


def document(config: Config, **changes: Any) -> dict[str, Any]:
    keys = config.serving, config.kubelet_client
    serving, kubelet = ({"certificate": str(pair.certificate), "key": str(pair.key)} for pair in keys)
    return {
        "home": str(config.home),
        "listen": "127.0.0.1",
        "port": 0,
        "advertiseAddress": "127.0.0.1",
        "datastore": config.datastore,
        "servingCertificate": serving,
        "clientCA": str(config.client_ca),
        "kubeletClient": kubelet,
    } | changes


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"port": "6443"}, "port must be a number from 0 to 65535"),
        ({"port": 70000}, "port must be a number"),
        ({"advertiseAddress": "here"}, "advertiseAddress is not an IP address: 'here'"),
        ({"serviceCIDR": "10.96.0.0"}, None),
        ({"serviceCIDR": "10.96.0.1/12"}, "serviceCIDR is not a network such as 10.96.0.0/12"),
        ({"podCIDR": "fd00::/64"}, "podCIDR must be an IPv4 network"),
        ({"clientCA": "/nowhere/ca.crt"}, "clientCA: there is no file /nowhere/ca.crt"),
        (
            {"servingCertificate": {"certificate": "/nowhere"}},
            "servingCertificate.certificate: there is no file",
        ),
        ({"home": ""}, "home must be a non-empty text"),
        ({"serviceAccountIssuer": "http://x"}, "serviceAccountIssuer must be an https URL"),
        ({"serviceAccountKey": __file__}, "serviceAccountKey: "),
    ],
)
def test_a_mistake_is_named(config: Config, changes: Any, problem: str | None) -> None:
    if problem is None:
        parse(document(config, **changes))
        return
    with pytest.raises(ConfigError) as caught:
        parse(document(config, **changes))
    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize(("text", "problem"), [("{", "is not JSON"), ("[]", "must hold a JSON object")])
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "server.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=problem):
        load(path)
    with pytest.raises(ConfigError, match="cannot read"):
        load(tmp_path / "missing.json")


def start_with(config: Config, tmp_path: Path, **changes: Any) -> int:
    path = tmp_path / "server.json"
    path.write_text(json.dumps(document(config, **changes)))
    return main(["--config", str(path)])


def test_a_busy_port_is_one_line_and_exit_code_1(config: Config, tmp_path: Path, caplog: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert start_with(config, tmp_path, port=port) == 1
    assert f"cannot start: port {port} on 127.0.0.1 is in use by another process" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_file_that_is_no_database_is_one_line_and_exit_code_1(
    config: Config, tmp_path: Path, caplog: Any
) -> None:
    broken = tmp_path / "broken.db"
    broken.write_bytes(b"this is no database" * 100)
    assert start_with(config, tmp_path, datastore=f"sqlite:///{broken}") == 1
    assert "cannot start: " in caplog.text
    assert "Traceback" not in caplog.text
