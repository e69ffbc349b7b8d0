"""RuntimeClasses: which handler runs a pod, what a pod costs beside its containers, what is refused."""

from collections.abc import Iterator

import pytest

from conformance import pods
from conformance.rest import Object, Rest
from conformance.space import Space

pytestmark = pytest.mark.usefixtures("containers")
CLASSES = "/apis/node.k8s.io/v1/runtimeclasses"


class Classes:
    """Made by one test, and removed with it."""

    def __init__(self, rest: Rest, prefix: str) -> None:
        self._rest = rest
        self._prefix = prefix
        self.names: list[str] = []

    def add(self, handler: str, **more: object) -> str:
        name = f"{self._prefix}-{len(self.names)}"
        self._rest.post(CLASSES, {"metadata": {"name": name}, "handler": handler, **more})
        self.names.append(name)
        return name

    def remove(self, name: str) -> None:
        self._rest.request("DELETE", f"{CLASSES}/{name}")


@pytest.fixture
def classes(space: Space) -> Iterator[Classes]:
    made = Classes(space.rest, space.name)
    yield made
    for name in made.names:
        made.remove(name)


def refused(space: Space, class_name: str) -> str:
    body = pods.pod("refused", pods.container(space.image), runtimeClassName=class_name)
    answer = space.rest.request("POST", space.path("pods"), body)
    assert answer.code == 403, str(answer)
    return answer.text


def test_a_class_that_does_not_exist(space: Space) -> None:
    assert "not found" in refused(space, "nonexistent")


def test_a_class_that_was_deleted(space: Space, classes: Classes) -> None:
    name = classes.add("runc")
    classes.remove(name)
    assert "not found" in refused(space, name)


def test_a_handler_that_the_runtime_has(space: Space, classes: Classes) -> None:
    assert space.run_through("handled", "echo ran", runtimeClassName=classes.add("runc")) == "ran\n"


def test_a_handler_that_the_runtime_does_not_have(space: Space, classes: Classes) -> None:
    space.run("unhandled", runtimeClassName=classes.add("unconfigured-handler"))
    event = space.event("unhandled", "FailedCreatePodSandBox")
    assert event["message"].startswith("Failed to create pod sandbox: ")
    assert "unconfigured-handler" in event["message"]
    assert space.pod("unhandled")["status"]["phase"] == "Pending"


def test_what_a_pod_costs_beside_its_containers(space: Space, classes: Classes) -> None:
    plain = space.run("plain", runtimeClassName=classes.add("runc"))
    assert "overhead" not in plain["spec"]
    overhead = {"podFixed": {"cpu": "10m", "memory": "16Mi"}}
    costly = space.run("costly", runtimeClassName=classes.add("runc", overhead=overhead))
    assert costly["spec"]["overhead"] == overhead["podFixed"]
    space.ready("costly")


def test_a_class_chooses_nodes(space: Space, classes: Classes) -> None:
    scheduling: Object = {"nodeSelector": {"no-node-has": "this"}}
    pod = space.run("nowhere", runtimeClassName=classes.add("runc", scheduling=scheduling))
    assert pod["spec"]["nodeSelector"] == {"no-node-has": "this"}
    assert space.event("nowhere", "FailedScheduling")
