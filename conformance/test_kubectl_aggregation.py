"""APIs that other servers answer: kubectl finds and uses them like those of the server itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.kubectl import Kubectl
from conformance.other_server import JsonHandler, registered, serving
from conformance.rest import Rest
from conformance.space import Space
from conformance.waiting import eventually

GROUP = "wardle.example.com"
PATH = f"/apis/{GROUP}/v1alpha1"
NAME = f"v1alpha1.{GROUP}"


class Wardle(JsonHandler):
    """Answers discovery, and with one object, named after who asks."""

    def do_GET(self) -> None:
        version = {"apiVersion": f"{GROUP}/v1alpha1"}
        if self.path.partition("?")[0] == PATH:
            resource = {"name": "flunders", "singularName": "flunder", "namespaced": True, "kind": "Flunder"}
            resource |= {"verbs": ["get", "list"], "shortNames": ["fl"]}
            listed = {"kind": "APIResourceList", "groupVersion": f"{GROUP}/v1alpha1", "resources": [resource]}
            self.reply(listed)
        elif self.path.startswith(f"{PATH}/namespaces/"):
            metadata = {"name": self.headers["X-Remote-User"], "namespace": self.path.split("/")[5]}
            flunder = {**version, "kind": "Flunder", "metadata": metadata}
            self.reply({**version, "kind": "FlunderList", "metadata": {}, "items": [flunder]})
        else:
            self.reply({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}, code=404)


@pytest.fixture
def api_service(space: Space, tmp_path: Path) -> Iterator[str]:
    """The path of what registers the other server."""
    with (
        serving(Wardle, tmp_path) as port,
        registered(space, port, group=GROUP, version="v1alpha1", priority=2000, service="wardle") as path,
    ):
        yield path


def test_kubectl_uses_what_another_server_answers(each_kubectl: Kubectl, api_service: str) -> None:
    each_kubectl("wait", "--for=condition=Available", f"apiservice/{NAME}", "--timeout=20s")
    resources = each_kubectl("api-resources", f"--api-group={GROUP}", "--no-headers").text.split()
    assert resources == ["flunders", "fl", f"{GROUP}/v1alpha1", "true", "Flunder"]
    assert f"{GROUP}/v1alpha1" in each_kubectl("api-versions").lines
    [flunder] = each_kubectl.json("get", "fl")["items"]
    assert flunder["metadata"] == {"name": "kubernetes-admin", "namespace": each_kubectl.namespace}


def test_a_server_that_goes_away_does_not_spoil_the_rest(
    kubectl: Kubectl, rest: Rest, space: Space, api_service: str
) -> None:
    rest.delete(f"/api/v1/namespaces/{space.name}/services/wardle")

    def gone() -> bool:
        found = rest.get(api_service)
        conditions = (found.get("status") or {}).get("conditions") or []
        return [each["reason"] for each in conditions] == ["ServiceNotFound"]

    eventually(gone, what="the APIService to be unavailable")
    assert f"{space.name}/wardle   False (ServiceNotFound)" in kubectl("get", "apiservice", NAME).text
    answer = rest.request("GET", f"{PATH}/namespaces/{space.name}/flunders")
    assert (answer.code, answer.text) == (503, "service unavailable\n")
    assert kubectl("get", "configmaps", "-o", "name").lines == ["configmap/kube-root-ca.crt"]
