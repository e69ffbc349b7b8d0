"""A kubeconfig's current context becomes a connection; what is wrong with it becomes one clear sentence."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeling.client.errors import KubeconfigError
from kubeling.client.kubeconfig import read_connection


def written(
    directory: Path, *, cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None
) -> Path:
    config = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443/"} | (cluster or {})}],
        "users": [{"name": "u", "user": user or {}}],
    }
    file = directory / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_inline_data(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        cluster={"certificate-authority-data": encoded("CA"), "tls-server-name": "kubernetes"},
        user={"client-certificate-data": encoded("CERT"), "client-key-data": encoded("KEY")},
    )
    connection = read_connection(file)
    assert connection.server == "https://127.0.0.1:6443"
    assert (connection.authority, connection.certificate, connection.key) == (b"CA", b"CERT", b"KEY")
    assert connection.server_name == "kubernetes"


def test_files_are_found_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("CA")
    (tmp_path / "token").write_text("secret\n")
    file = written(tmp_path, cluster={"certificate-authority": "ca.crt"}, user={"tokenFile": "token"})
    connection = read_connection(file)
    assert (connection.authority, connection.token) == (b"CA", "secret")


def test_a_token(tmp_path: Path) -> None:
    assert read_connection(written(tmp_path, user={"token": "secret"})).token == "secret"


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match=r"cannot read the kubeconfig .*: No such file"):
        read_connection(tmp_path / "nowhere")


def test_a_missing_certificate(tmp_path: Path) -> None:
    file = written(tmp_path, user={"client-certificate": "gone.crt"})
    with pytest.raises(KubeconfigError, match=r"cannot read .*gone\.crt"):
        read_connection(file)


def test_data_that_is_not_base64(tmp_path: Path) -> None:
    file = written(tmp_path, cluster={"certificate-authority-data": "%%%"})
    with pytest.raises(KubeconfigError, match="certificate-authority-data is not base64"):
        read_connection(file)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[", "not valid YAML"),
        ("[]", "is not a kubeconfig"),
        ("{}", "no context named ''"),
        ("{current-context: x, contexts: [{name: x, context: {cluster: y}}]}", "no cluster named 'y'"),
    ],
)
def test_what_is_no_kubeconfig(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "kubeconfig"
    file.write_text(text)
    with pytest.raises(KubeconfigError, match=complaint):
        read_connection(file)


def test_keys_that_are_no_keys(tmp_path: Path) -> None:
    file = written(
        tmp_path, user={"client-certificate-data": encoded("CERT"), "client-key-data": encoded("KEY")}
    )
    with pytest.raises(KubeconfigError, match="cannot be used"):
        read_connection(file).ssl_context()
