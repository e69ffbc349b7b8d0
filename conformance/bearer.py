"""Service account tokens in the hands of a test: what they say, and who the server says their owner is.

Not here: requests for tokens, which are what is tested.
"""

import base64
import json
from pathlib import Path
from typing import Any

from conformance import rest as rests
from conformance.cluster import Cluster
from conformance.rest import Object, Response
from conformance.waiting import eventually

ISSUER = "https://kubernetes.default.svc.cluster.local"
MOUNTED = "/var/run/secrets/kubernetes.io/serviceaccount"
WHO_AM_I = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def claims(token: str) -> Any:
    """What a token says, unverified."""
    text = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def ask_who_i_am(cluster: Cluster, token: str) -> Response:
    return rests.connect(cluster.kubeconfig, token=token).request("POST", WHO_AM_I, {})


def owner(cluster: Cluster, token: str) -> Any:
    """The user that the server takes the bearer of a token for."""
    answer = ask_who_i_am(cluster, token)
    assert answer.code == 201, str(answer)
    return answer.object["status"]["userInfo"]


def refused(cluster: Cluster, token: str) -> None:
    """Waits until the server takes the token no longer."""

    def probe() -> bool:
        answer = ask_who_i_am(cluster, token)
        assert answer.code == 401, str(answer)
        return True

    eventually(probe, what="the token is refused")


def kubeconfig(file: Path, raw: Object, user: Object) -> Path:
    """A kubeconfig for another user of the cluster that `kubectl config view --raw --flatten` shows."""
    document = {**raw, "users": [{"name": raw["users"][0]["name"], "user": user}]}
    file.write_text(json.dumps(document))
    return file
