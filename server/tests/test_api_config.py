"""The configuration file, and starting with a bad one."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from server.config import Config, ConfigError, load, parse
from server.main import main
from server.tokens.keys import SigningKey


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
        ({"controlLoops": "no"}, "controlLoops must be true or false"),
        ({"controlLoops": False}, None),
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


@pytest.mark.parametrize("kept", [0, 100, 500])
def test_a_damaged_key_is_found_at_once(config: Config, tmp_path: Path, kept: int, caplog: Any) -> None:
    assert config.service_account_key is not None
    text = config.service_account_key.read_text()
    first, middle, last = text.partition("\n")[0], text[30 : 30 + kept // 4 * 4], text.splitlines()[-1]
    key = tmp_path / "sa.key"
    key.write_text(f"{first}\n{middle}\n{last}\n" if kept < 500 else text[:120])
    assert start_with(config, tmp_path, serviceAccountKey=str(key)) == 1
    why = f"cannot start: serviceAccountKey: the private key in {key} is damaged or encrypted"
    assert why in caplog.text


def test_an_undamaged_key_of_any_sort_is_taken(config: Config, tmp_path: Path) -> None:
    curve, modulus = ec.generate_private_key(ec.SECP521R1()), rsa.generate_private_key(65537, 2048)
    for key in (SigningKey(curve), SigningKey(modulus)):
        file = tmp_path / f"{key.algorithm}.key"
        unencrypted = serialization.NoEncryption()
        form = serialization.PrivateFormat.PKCS8
        file.write_bytes(key.private.private_bytes(serialization.Encoding.PEM, form, unencrypted))
        assert parse(document(config, serviceAccountKey=str(file))).service_account_key == file


def test_a_verification_key_that_is_none_is_named(config: Config, tmp_path: Path, caplog: Any) -> None:
    changes: dict[str, Any] = {"serviceAccountKey": str(config.service_account_key)}
    (tmp_path / "old.pub").write_text("nothing")
    changes |= {"serviceAccountVerificationKeys": [str(tmp_path / "old.pub")]}
    assert start_with(config, tmp_path, **changes) == 1
    assert "cannot start: serviceAccountVerificationKeys: " in caplog.text
    assert "old.pub holds no public key" in caplog.text


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
