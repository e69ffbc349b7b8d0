"""kubectl with Deployments: create, scale, set image, rollout, describe, wait, autoscale."""

from conformance.kubectl import Kubectl
from conformance.rollouts import APPS, complete, deployment, replica_sets, size
from conformance.space import Space
from conformance.waiting import eventually


def _create(kubectl: Kubectl, space: Space, replicas: int = 2) -> None:
    kubectl.apply(deployment(space, "d", replicas))
    kubectl("rollout", "status", "deployment/d", "--timeout=60s")


def _image(kubectl: Kubectl, image: str) -> None:
    kubectl("set", "image", "deployment/d", f"main={image}")


def test_a_deployment_is_created_waited_for_and_exposed(
    virtual_kubectl: Kubectl, virtual_space: Space
) -> None:
    kubectl = virtual_kubectl
    kubectl(
        "create",
        "deployment",
        "web",
        f"--image={virtual_space.image}",
        "--replicas=2",
        "--port=80",
        "--",
        "sleep",
        "1000",
    )
    kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=60s")
    assert kubectl("get", "deployment", "web", "--no-headers").text.split()[:4] == ["web", "2/2", "2", "2"]
    kubectl("expose", "deployment", "web", "--port=8080", "--target-port=80")
    assert kubectl.json("get", "service", "web")["spec"]["selector"] == {"app": "web"}


def test_rollout_status_history_undo(virtual_kubectl: Kubectl, virtual_space: Space) -> None:
    kubectl, space = virtual_kubectl, virtual_space
    _create(kubectl, space)
    kubectl("annotate", "deployment/d", "kubernetes.io/change-cause=the first")
    kubectl("set", "env", "deployment/d", "NEW=1")
    kubectl("annotate", "deployment/d", "kubernetes.io/change-cause=the second")
    said = kubectl("rollout", "status", "deployment/d", "--timeout=60s").text
    assert 'deployment "d" successfully rolled out' in said
    history = kubectl("rollout", "history", "deployment/d").lines
    assert [line.split(maxsplit=1) for line in history[2:4]] == [["1", "the first"], ["2", "the second"]]
    assert "NEW:" in kubectl("rollout", "history", "deployment/d", "--revision=2").text
    assert "rolled back" in kubectl("rollout", "undo", "deployment/d").text
    kubectl("rollout", "status", "deployment/d", "--timeout=60s")
    history = kubectl("rollout", "history", "deployment/d").lines
    assert [line.split()[0] for line in history[2:4]] == ["2", "3"]
    back = complete(space, "d")
    assert "env" not in back["spec"]["template"]["spec"]["containers"][0]
    kubectl("rollout", "undo", "deployment/d", "--to-revision=2")
    kubectl("rollout", "status", "deployment/d", "--timeout=60s")
    again = complete(space, "d")
    assert again["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "NEW", "value": "1"}]
    assert again["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "4"


def test_restart_makes_new_pods(virtual_kubectl: Kubectl, virtual_space: Space) -> None:
    kubectl, space = virtual_kubectl, virtual_space
    _create(kubectl, space)
    before = {each["metadata"]["name"] for each in kubectl.json("get", "pods")["items"]}
    kubectl("rollout", "restart", "deployment/d")
    kubectl("rollout", "status", "deployment/d", "--timeout=60s")

    def renewed() -> bool:
        now = {each["metadata"]["name"] for each in kubectl.json("get", "pods")["items"]}
        return len(now) == 2 and not now & before

    eventually(renewed, what="all pods are new")


def test_a_paused_deployment_rolls_out_when_it_is_resumed(
    virtual_kubectl: Kubectl, virtual_space: Space
) -> None:
    kubectl, space = virtual_kubectl, virtual_space
    _create(kubectl, space)
    kubectl("rollout", "pause", "deployment/d")
    kubectl("set", "env", "deployment/d", "NEW=1")
    kubectl("scale", "deployment/d", "--replicas=3")
    eventually(lambda: [size(each) for each in replica_sets(space, "d")] == [3], what="it is scaled")
    kubectl("rollout", "resume", "deployment/d")
    kubectl("rollout", "status", "deployment/d", "--timeout=60s")
    assert [size(each) for each in replica_sets(space, "d")] == [0, 3]


def test_describe_names_the_replica_sets_and_events(virtual_kubectl: Kubectl, virtual_space: Space) -> None:
    kubectl, space = virtual_kubectl, virtual_space
    _create(kubectl, space)
    kubectl("set", "env", "deployment/d", "NEW=1")
    kubectl("rollout", "status", "deployment/d", "--timeout=60s")
    old, new = (each["metadata"]["name"] for each in replica_sets(space, "d"))
    space.event("d", "ScalingReplicaSet")
    said = " ".join(kubectl("describe", "deployment", "d").text.split())
    assert f"OldReplicaSets: {old} (0/0 replicas created)" in said
    assert f"NewReplicaSet: {new} (2/2 replicas created)" in said
    assert "Available True MinimumReplicasAvailable" in said
    assert "Progressing True NewReplicaSetAvailable" in said
    assert f"Scaled up replica set {old} from 0 to 2" in said
    assert "2 desired | 2 updated | 2 total | 2 available | 0 unavailable" in said


def test_scaling_to_what_it_is_not_is_refused(virtual_kubectl: Kubectl, virtual_space: Space) -> None:
    kubectl, space = virtual_kubectl, virtual_space
    _create(kubectl, space)
    refused = kubectl.attempt("scale", "deployment/d", "--current-replicas=5", "--replicas=1")
    assert refused.code != 0
    kubectl("scale", "deployment/d", "--current-replicas=2", "--replicas=1")
    assert size(complete(space, "d")) == 1


def test_autoscale_makes_a_horizontal_pod_autoscaler(virtual_kubectl: Kubectl, virtual_space: Space) -> None:
    _create(virtual_kubectl, virtual_space)
    virtual_kubectl("autoscale", "deployment/d", "--min=1", "--max=3", "--cpu-percent=80")
    spec = virtual_kubectl.json("get", "hpa", "d")["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 3)


def test_cascade_orphan_leaves_the_replica_set(virtual_kubectl: Kubectl, virtual_space: Space) -> None:
    kubectl, space = virtual_kubectl, virtual_space
    _create(kubectl, space)
    kubectl("delete", "deployment", "d", "--cascade=orphan")
    assert [size(each) for each in replica_sets(space, "d")] == [2]
    assert "ownerReferences" not in replica_sets(space, "d")[0]["metadata"]


def test_a_failed_image_is_rolled_back(kubectl: Kubectl, space: Space, containers: None) -> None:
    """On real containers: what cannot be pulled does not take the place of what runs."""
    _create(kubectl, space)
    _image(kubectl, "localhost:1/none:1")
    stuck = kubectl.attempt("rollout", "status", "deployment/d", "--timeout=3s")
    assert stuck.code != 0
    path = space.path("deployments", "d", group=APPS)
    assert space.rest.get(path)["status"]["availableReplicas"] == 2
    kubectl("rollout", "undo", "deployment/d")
    kubectl("rollout", "status", "deployment/d", "--timeout=60s")
