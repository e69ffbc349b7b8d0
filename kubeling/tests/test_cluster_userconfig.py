"""The user's kubeconfig: our context comes and goes, everything else stays as it is."""

import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubeling.cluster import kubeconfig, userconfig
from kubeling.cluster.errors import KubeconfigError

OTHER = """\
apiVersion: v1
kind: Config
clusters:
- name: prod
  cluster: {server: 'https://prod.example', insecure-skip-tls-verify: true}
contexts:
- {name: prod, context: {cluster: prod, user: me, namespace: "yes"}}
current-context: prod
users:
- name: me
  user:
    exec: {apiVersion: client.authentication.k8s.io/v1, command: login, args: ["--on", "0x10", "1.10"]}
preferences: {colors: true}
extensions: []
"""


def document(authority: str = "QUJD") -> dict[str, Any]:
    cluster = {"server": "https://127.0.0.1:6443", "certificate-authority-data": authority}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "kubeling", "cluster": cluster}],
        "users": [{"name": "kubeling", "user": {"token": "t"}}],
        "contexts": [{"name": "kubeling", "context": {"cluster": "kubeling", "user": "kubeling"}}],
        "current-context": "kubeling",
    }


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def test_a_new_file_is_private_and_its_directory_is_made(tmp_path: Path) -> None:
    path = tmp_path / "home" / ".kube" / "config"
    userconfig.merge(path, document())
    assert load(path) == document()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["config"]


def test_other_entries_and_the_files_mode_stay(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(OTHER)
    path.chmod(0o640)
    userconfig.merge(path, document())
    before, after = yaml.safe_load(OTHER), load(path)
    for title in ("clusters", "contexts", "users"):
        assert after[title] == before[title] + document()[title]
    assert after["current-context"] == "kubeling"
    assert after["preferences"] == before["preferences"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_our_own_entries_are_replaced_in_place(tmp_path: Path) -> None:
    path = tmp_path / "config"
    userconfig.merge(path, document("b2xk"))
    userconfig.merge(path, document("bmV3"))
    assert load(path) == document("bmV3")


def test_removing_undoes_merging(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(OTHER)
    userconfig.merge(path, document())
    assert userconfig.remove(path, document())
    assert load(path) == {**yaml.safe_load(OTHER), "current-context": ""}


def test_removing_leaves_the_users_choice_of_another_context(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(OTHER)
    userconfig.merge(path, document())
    path.write_text(path.read_text().replace("current-context: kubeling", "current-context: prod"))
    userconfig.remove(path, document())
    assert load(path)["current-context"] == "prod"


def test_the_context_of_another_kubeling_cluster_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "config"
    userconfig.merge(path, document("b3RoZXI="))
    before = path.read_bytes()
    assert not userconfig.remove(path, document())
    assert path.read_bytes() == before


def test_removing_from_a_missing_file_does_nothing(tmp_path: Path) -> None:
    assert not userconfig.remove(tmp_path / "none" / "config", document())
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("text", ["a: [", "- a\n- b\n", "contexts: 5\n", "users: [x]\n", "\x00"])
def test_a_malformed_file_is_named_and_not_touched(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(KubeconfigError, match="is not a kubeconfig"):
        userconfig.merge(path, document())
    assert path.read_text() == text
    assert os.listdir(tmp_path) == ["config"]


def test_an_empty_file_is_a_kubeconfig(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.touch()
    userconfig.merge(path, document())
    assert load(path) == document()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target = tmp_path / "real"
    target.write_text(OTHER)
    link = tmp_path / "config"
    link.symlink_to(target)
    userconfig.merge(link, document())
    assert link.is_symlink()
    assert load(target)["current-context"] == "kubeling"


def test_a_lock_that_nobody_lets_go_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(userconfig, "LOCK_PATIENCE", 0.0)
    (tmp_path / "config.lock").touch()
    with pytest.raises(KubeconfigError, match=r"config\.lock"):
        userconfig.merge(tmp_path / "config", document())
    assert (tmp_path / "config.lock").exists()


def test_writers_wait_for_each_other(tmp_path: Path) -> None:
    path = tmp_path / "config"
    threads = [
        threading.Thread(target=userconfig.merge, args=(path, renamed(f"c{number}"))) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {entry["name"] for entry in load(path)["contexts"]} == {f"c{number}" for number in range(8)}


def renamed(name: str) -> dict[str, Any]:
    changed = document()
    for title in ("clusters", "users", "contexts"):
        changed[title][0]["name"] = name
    return changed


@pytest.mark.parametrize(
    ("variable", "expected"),
    [("/a/config:/b/config", "/a/config"), (":/b/config", "/b/config"), ("", "/home/me/.kube/config")],
)
def test_the_file_is_the_one_kubectl_would_write(
    monkeypatch: pytest.MonkeyPatch, variable: str, expected: str
) -> None:
    monkeypatch.setenv("KUBECONFIG", variable)
    monkeypatch.setenv("HOME", "/home/me")
    assert str(kubeconfig.default_path()) == expected
