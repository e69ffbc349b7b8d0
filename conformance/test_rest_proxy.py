"""Pods and Services through the API server: what a proxy passes on, and where it does not lead."""

import pytest

from conformance import pods
from conformance.rest import Object, Rest
from conformance.space import Space
from conformance.waiting import eventually

WEB = "mkdir /www; echo hi > /www/index.html; httpd -p 8080 -h /www; trap 'exit 0' TERM; sleep 600 & wait"


def service(space: Space, name: str, *, address: str, port: int, target: Object | None = None) -> None:
    """With one endpoint, which the test names itself."""
    ports = [{"name": "web", "port": port}]
    space.create({"metadata": {"name": name}, "spec": {"ports": ports}}, "services")
    endpoint: Object = {"addresses": [address]} | ({"targetRef": target} if target else {})
    behind = {
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": name}},
        "addressType": "IPv4",
        "endpoints": [endpoint],
        "ports": ports,
    }
    space.rest.post(space.path("endpointslices", group="apis/discovery.k8s.io/v1"), behind)


@pytest.mark.usefixtures("containers")
def test_a_pod_and_its_service_answer_through_the_server(rest: Rest, space: Space) -> None:
    probe = {"httpGet": {"port": 8080, "path": "/index.html"}, "periodSeconds": 1}
    pod = space.run_ready("web", WEB, container={"ports": [{"containerPort": 8080}], "readinessProbe": probe})
    target = {"kind": "Pod", "name": "web", "namespace": space.name}
    service(space, "front", address=pod["status"]["podIP"], port=8080, target=target)
    for path in (
        space.path("pods", "web"),
        space.path("pods", "http:web:8080"),
        space.path("services", "front:web"),
        space.path("services", "http:front:8080"),
    ):
        answer = rest.request("GET", f"{path}/proxy/index.html")
        assert (answer.code, answer.text) == (200, "hi\n"), str(answer)
    assert rest.request("GET", f"{space.path('pods', 'web')}/proxy/missing").code == 404


@pytest.mark.usefixtures("containers")
def test_links_of_a_page_lead_through_the_server(rest: Rest, space: Space) -> None:
    """Those to the pod's own root; and whoever leaves the root's slash out is sent there."""
    page = '<a href=\\"/rewriteme\\">test</a>'
    space.run_ready("web", WEB.replace("echo hi", f'echo "{page}"').replace("8080", "80"))
    base = f"{space.path('pods', 'web')}/proxy"
    eventually(lambda: rest.request("GET", f"{base}/").code == 200, what="the pod answers")
    assert rest.request("GET", f"{base}/").text == f'<a href="{base}/rewriteme">test</a>\n'
    for verb in ("GET", "HEAD"):
        assert rest.request(verb, base).code == 301


@pytest.mark.usefixtures("containers")
def test_requests_of_every_verb_are_passed_on(rest: Rest, space: Space) -> None:
    space.create(pods.pod("web", pods.tool(space.tools, "http", "--port=80")))
    space.ready("web")
    base = f"{space.path('pods', 'web')}/proxy"
    eventually(lambda: rest.request("GET", f"{base}/hostname").text == "web", what="the pod answers")
    for verb in ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"):
        answer = rest.request(verb, f"{base}/echo", msg=f"foo {verb}")
        assert (answer.code, answer.text) == (200, "" if verb == "HEAD" else f"foo {verb}"), str(answer)
    refused = rest.request("GET", f"{space.path('pods', 'web:81')}/proxy/")
    assert (refused.code, refused.object["reason"]) == (503, "ServiceUnavailable"), str(refused)
    assert refused.object["message"].startswith("error trying to reach service: dial tcp ")


def test_a_proxy_does_not_lead_to_the_server_itself(rest: Rest, space: Space) -> None:
    """With the server's own certificate, whoever asked would be an administrator."""
    kubernetes = rest.request("GET", "/api/v1/namespaces/default/services/https:kubernetes:https/proxy/api")
    assert (kubernetes.code, kubernetes.object["reason"]) == (503, "ServiceUnavailable")
    service(space, "trap", address="10.0.0.1", port=443)
    answer = rest.request("GET", f"{space.path('services', 'https:trap:web')}/proxy/api/v1/secrets")
    assert answer.code == 503, str(answer)
    assert answer.object["message"] == 'no endpoints available for service "https:trap:web"'


def test_a_pod_without_an_address_is_not_proxied_to(rest: Rest, space: Space) -> None:
    space.run("waiting", nodeSelector={"no": "such-node"})
    answer = rest.request("GET", f"{space.path('pods', 'waiting')}/proxy/")
    assert (answer.code, answer.object["message"]) == (400, "address not allowed"), str(answer)
