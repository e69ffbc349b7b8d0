"""Makes kubeconfigs: one for people, with all embedded, and one for the node agent, which names its files.

Not here: what is written into the user's own file (`kubeling.cluster.userconfig`).
"""

import base64
import os
from pathlib import Path
from typing import Any

from kubeling.cluster import files
from kubeling.cluster.home import Home
from kubeling.cluster.keys import Pki
from kubeling.cluster.settings import Settings

NAME = "kubeling"


def write(home: Home, settings: Settings) -> None:
    files.private_directory(home.node_kubeconfig.parent)
    files.write_json(home.node_kubeconfig, node_document(Pki(home.pki), settings))
    if settings.virtual_nodes:
        files.write_json(home.virtual_kubeconfig, virtual_document(Pki(home.pki), settings))
    text = _yaml(admin_document(Pki(home.pki), settings))
    files.write_if_changed(home.admin_kubeconfig, text.encode())


def admin_document(pki: Pki, settings: Settings) -> dict[str, Any]:
    cluster = {
        "server": server_url(settings),
        "certificate-authority-data": _embedded(pki.authority.certificate),
    }
    user = {
        "client-certificate-data": _embedded(pki.admin.certificate),
        "client-key-data": _embedded(pki.admin.key),
    }
    return _document(cluster, user, user_name=NAME)


def node_document(pki: Pki, settings: Settings) -> dict[str, Any]:
    cluster = {"server": server_url(settings), "certificate-authority": str(pki.authority.certificate)}
    user = {"client-certificate": str(pki.node.certificate), "client-key": str(pki.node.key)}
    return _document(cluster, user, user_name=f"system:node:{settings.node_name}")


def virtual_document(pki: Pki, settings: Settings) -> dict[str, Any]:
    """For the process of virtual nodes, which acts for many and so in its own name."""
    cluster = {"server": server_url(settings), "certificate-authority": str(pki.authority.certificate)}
    user = {"client-certificate": str(pki.virtual.certificate), "client-key": str(pki.virtual.key)}
    return _document(cluster, user, user_name="kubeling:virtual-nodes")


def default_path() -> Path:
    """The user's own file: the first that $KUBECONFIG names, else ~/.kube/config."""
    named = [part for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return Path(named[0] if named else "~/.kube/config").expanduser().absolute()


def server_url(settings: Settings) -> str:
    return f"https://127.0.0.1:{settings.port}"


def _document(cluster: dict[str, str], user: dict[str, str], *, user_name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": NAME, "cluster": cluster}],
        "users": [{"name": user_name, "user": user}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": user_name}}],
        "current-context": NAME,
    }


def _embedded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _yaml(document: dict[str, Any]) -> str:
    """Block YAML, written by hand: the strings need no quotes, and importing PyYAML takes time."""
    [cluster], [user], [context] = document["clusters"], document["users"], document["contexts"]
    lines = [f"apiVersion: {document['apiVersion']}", f"kind: {document['kind']}"]
    for title, kind, entry in (
        ("clusters", "cluster", cluster),
        ("users", "user", user),
        ("contexts", "context", context),
    ):
        lines += [f"{title}:", f"- name: {entry['name']}", f"  {kind}:"]
        lines += [f"    {key}: {value}" for key, value in entry[kind].items()]
    return "\n".join([*lines, f"current-context: {document['current-context']}", ""])
