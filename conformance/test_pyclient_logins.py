"""How the official Python client logs in: certificate, token, token file, exec plugin, from inside a pod."""

import base64
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client, config
from kubernetes.config.incluster_config import InClusterConfigLoader

from conformance.cluster import Cluster
from conformance.space import Space
from conformance.waiting import eventually

Login = Callable[[dict[str, Any]], Any]


@pytest.fixture
def admins(cluster: Cluster) -> dict[str, Any]:
    """The administrator's kubeconfig; certificates in it."""
    loaded: dict[str, Any] = yaml.safe_load(cluster.kubeconfig.read_text())
    return loaded


@pytest.fixture
def login(admins: dict[str, Any]) -> Login:
    """A client for the cluster as the user that is described."""

    def connect(user: dict[str, Any]) -> Any:
        context = {"cluster": "it", "user": "me"}
        written = {
            "clusters": [{"name": "it", "cluster": admins["clusters"][0]["cluster"]}],
            "users": [{"name": "me", "user": user}],
            "contexts": [{"name": "here", "context": context}],
            "current-context": "here",
        }
        return config.new_client_from_config_dict(written)

    return connect


@pytest.fixture
def token(core: Any, space: Space) -> str:
    """Of the test's default service account."""
    wanted = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[]))
    made = core.create_namespaced_service_account_token("default", space.name, wanted)
    found: str = made.status.token
    return found


def test_a_client_certificate(admins: dict[str, Any], login: Login, tmp_path: Path) -> None:
    user = admins["users"][0]["user"]
    if "client-certificate-data" not in user:
        pytest.skip("the kubeconfig has no certificate in it")
    data = {name: user[name] for name in ("client-certificate-data", "client-key-data")}
    assert "system:masters" in _who(login(data)).groups
    for name, content in data.items():
        (tmp_path / name).write_bytes(base64.b64decode(content))
    files = {name.removesuffix("-data"): str(tmp_path / name) for name in data}
    assert "system:masters" in _who(login(files)).groups


def test_a_token(login: Login, token: str, space: Space) -> None:
    api = login({"token": token})
    assert _who(api).username == f"system:serviceaccount:{space.name}:default"
    with pytest.raises(client.ApiException) as refused:
        client.CoreV1Api(api).list_namespaced_secret(space.name)
    assert (refused.value.status, refused.value.reason) == (403, "Forbidden")
    assert 'cannot list resource \\"secrets\\"' in str(refused.value.body)


def test_a_wrong_token(login: Login) -> None:
    with pytest.raises(client.ApiException) as refused:
        _who(login({"token": "wrong"}))
    assert (refused.value.status, refused.value.reason) == (401, "Unauthorized")


def test_a_token_file(login: Login, token: str, space: Space, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(token)
    assert _who(login({"tokenFile": str(tmp_path / "token")})).username.endswith(f"{space.name}:default")


def test_an_exec_plugin(login: Login, token: str, space: Space, tmp_path: Path) -> None:
    version = "client.authentication.k8s.io/v1"
    plugin = tmp_path / "plugin"
    answer = f'{{"kind": "ExecCredential", "apiVersion": "{version}", "status": {{"token": "{token}"}}}}'
    plugin.write_text(f"#!/bin/sh\ncat <<'.'\n{answer}\n.\n")
    plugin.chmod(stat.S_IRWXU)
    wanted = {"apiVersion": version, "command": str(plugin), "interactiveMode": "Never"}
    assert _who(login({"exec": wanted})).username.endswith(f"{space.name}:default")


def test_impersonation(login: Login, admins: dict[str, Any]) -> None:
    api = login(admins["users"][0]["user"])
    api.set_default_header("Impersonate-User", "jane")
    assert _who(api).username == "jane"


def test_from_inside_a_pod(
    admins: dict[str, Any], core: Any, token: str, space: Space, tmp_path: Path
) -> None:
    """With the files that a pod finds, and the environment, here."""
    host, port = admins["clusters"][0]["cluster"]["server"].removeprefix("https://").rsplit(":", 1)
    root = core.read_namespaced_config_map("kube-root-ca.crt", space.name).data["ca.crt"]
    (tmp_path / "ca.crt").write_text(root)
    (tmp_path / "token").write_text(token)
    loaded = client.Configuration()
    files = {"token_filename": str(tmp_path / "token"), "cert_filename": str(tmp_path / "ca.crt")}
    environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    InClusterConfigLoader(**files, environ=environment).load_and_set(loaded)
    api = client.ApiClient(loaded)
    assert _who(api).username == f"system:serviceaccount:{space.name}:default"


def test_what_a_service_account_is_given_takes_effect(
    login: Login, core: Any, token: str, space: Space
) -> None:
    rights: Any = client.RbacAuthorizationV1Api(core.api_client)
    role = {"kind": "ClusterRole", "name": "view", "apiGroup": "rbac.authorization.k8s.io"}
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": space.name}
    binding = {"metadata": {"name": "view"}, "roleRef": role, "subjects": [subject]}
    rights.create_namespaced_role_binding(space.name, binding)
    own: Any = client.CoreV1Api(login({"token": token}))
    eventually(lambda: _may(own, space), what="it may list", timeout=5, every=0.02)
    assert [found.metadata.name for found in own.list_namespaced_config_map(space.name).items]


def _who(api: Any) -> Any:
    answer: Any = client.AuthenticationV1Api(api).create_self_subject_review(client.V1SelfSubjectReview())
    return answer.status.user_info


def _may(core: Any, space: Space) -> bool:
    try:
        core.list_namespaced_config_map(space.name)
    except client.exceptions.ForbiddenException:
        return False
    return True
