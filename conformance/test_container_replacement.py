"""Containers that the node replaces in place start anew, however they end and whatever their policy says."""

import pytest

from conformance import pods
from conformance.pods import container
from conformance.space import Object, Space
from conformance.waiting import eventually

LISTENING = pods.IDLE.replace("sleep", "echo up; sleep", 1)
"""Says when it listens to signals."""
FAILING = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}


def with_image(space: Space, name: str, image: str, *, field: str = "containers") -> None:
    """The first container of the list gets another image."""
    first = space.pod(name)["spec"][field][0]["name"]
    patch = {"spec": {field: [{"name": first, "image": image}]}}
    space.rest.patch(space.path("pods", name), patch, content_type="application/strategic-merge-patch+json")


def listens(space: Space, name: str) -> None:
    eventually(lambda: "up" in space.log(name, container="main"), what=f"{name} listens to signals")


def ran_anew(pod: Object, name: str, image: str, *, init: bool = False) -> bool:
    status = pods.status_of(pod, name, init=init)
    running = "running" in status.get("state", {})
    return running and (status["image"], status["restartCount"]) == (image, 1)


@pytest.mark.parametrize("policy", ["Always", "OnFailure", "Never"])
def test_a_new_image_replaces_its_container_only(space: Space, policy: str) -> None:
    main, other = container(space.image, LISTENING), container(space.image, name="other")
    space.create(pods.pod("web", main, other, restartPolicy=policy))
    space.ready("web")
    listens(space, "web")
    with_image(space, "web", space.tools)
    pod = space.until("web", lambda pod: ran_anew(pod, "main", space.tools), what="runs the new image")
    ended = pods.status_of(pod)["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (0, "Completed")
    assert pods.status_of(pod, "other")["restartCount"] == 0
    message = "Container main definition changed, will be restarted"
    assert space.event("web", "Killing")["message"] == message


def test_a_new_image_of_a_sidecar_replaces_it_beside_the_others(space: Space) -> None:
    side = container(space.image, name="side", restartPolicy="Always")
    space.create(pods.pod("web", container(space.image), initContainers=[side]))
    space.ready("web")
    with_image(space, "web", space.tools, field="initContainers")
    what = "runs the sidecar's new image"
    pod = space.until("web", lambda pod: ran_anew(pod, "side", space.tools, init=True), what=what)
    assert pods.status_of(pod)["restartCount"] == 0


def test_a_new_image_before_the_first_start_counts_no_restart(space: Space) -> None:
    init = container(space.image, "sleep 2", name="init")
    space.create(pods.pod("web", container(space.image), initContainers=[init]))
    running = lambda pod: "running" in pods.status_of(pod, "init", init=True).get("state", {})  # noqa: E731
    space.until("web", running, what="initializes")
    with_image(space, "web", space.tools)
    status = pods.status_of(space.ready("web"))
    assert (status["image"], status["restartCount"]) == (space.tools, 0)


def test_a_container_that_ends_well_when_its_probe_has_failed_starts_anew(space: Space) -> None:
    space.run("web", container={"livenessProbe": FAILING}, restartPolicy="OnFailure")
    seen = []
    with space.rest.watch(space.path("pods"), fieldSelector="metadata.name=web") as events:
        for event in events:
            status = pods.status_of(event["object"])
            seen.append(next(iter(status.get("state", {})), ""))
            if status.get("restartCount") == 1 and status["ready"]:
                break
    assert "terminated" not in seen
    assert pods.status_of(event["object"])["lastState"]["terminated"]["exitCode"] == 0


def test_less_than_no_grace_is_a_second(space: Space) -> None:
    space.run("web", terminationGracePeriodSeconds=-1)
    assert space.pod("web")["spec"]["terminationGracePeriodSeconds"] == 1


def test_a_pod_that_ends_is_terminal_once_its_last_container_has_ended(space: Space) -> None:
    """One that is held by a finalizer shows it; others are gone then."""
    for name, script, policy in (
        ("well", LISTENING, "Always"),
        ("badly", "echo up; exec sleep 1000", "OnFailure"),
    ):
        pod = pods.pod(name, container(space.image, script), restartPolicy=policy)
        pod["metadata"]["finalizers"] = ["example.com/held"]
        space.create(pod)
    phases = {"well": ("Succeeded", 0), "badly": ("Failed", 137)}
    for name in phases:
        space.ready(name)
        listens(space, name)
        space.rest.delete(space.path("pods", name))
    for name, (phase, code) in phases.items():
        assert pods.exit_code(space.phase(name, phase)) == code
        space.rest.patch(space.path("pods", name), {"metadata": {"finalizers": None}})
        space.rest.gone(space.path("pods", name))
