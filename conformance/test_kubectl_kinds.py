"""Everyday kinds through kubectl: what charts bring is taken and left alone; generators, columns."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance import pods
from conformance.kubectl import Kubectl, Object, manifest
from conformance.rest import Rest

MANIFESTS = Path(__file__).parent / "manifests"
CHANGED_BY_DEFAULTS = {
    "statefulset.apps/postgres",
    "statefulset.apps/prometheus-k8s",
    "job.batch/indexed",
    "pod/tolerant",
    "poddisruptionbudget.policy/ingress-nginx-controller",
    "poddisruptionbudget.policy/percent",
}
"""kubectl patches these each time: what it replaces as a whole has gained defaults."""


def documents() -> list[Object]:
    """The manifests, with pods that no scheduler takes."""
    found = [
        each for file in sorted(MANIFESTS.glob("*.yaml")) for each in yaml.safe_load_all(file.read_text())
    ]
    for each in found:
        for spec in _pod_specs(each):
            spec.setdefault("schedulerName", "nobody")
    return found


def _pod_specs(value: Any) -> Iterator[Object]:
    if isinstance(value, dict):
        if isinstance(value.get("containers"), list):
            yield value
        for each in value.values():
            yield from _pod_specs(each)
    elif isinstance(value, list):
        for each in value:
            yield from _pod_specs(each)


def stored(kubectl: Kubectl, given: str) -> dict[str, Object]:
    """What is wanted of each object: without what every write changes, and what controllers say of it."""
    items = kubectl("get", "-o", "json", "-f", "-", stdin=given)
    found = {}
    for item in yaml.safe_load(items.output)["items"]:
        own = item.pop("metadata")
        item.pop("status", None)
        found[f"{item['kind']}/{own['name']}"] = {**item, "generation": own.get("generation")}
    return found


def test_what_charts_bring_is_taken_and_left_alone(kubectl: Kubectl) -> None:
    given = manifest(*documents())
    created = kubectl("apply", "-f", "-", stdin=given).lines
    assert {line.rpartition(" ")[2] for line in created} == {"created"}
    assert len(created) == len(documents())
    before = stored(kubectl, given)
    again = [line.rpartition(" ") for line in kubectl("apply", "-f", "-", stdin=given).lines]
    assert {name for name, _, what in again if what != "unchanged"} <= CHANGED_BY_DEFAULTS
    assert stored(kubectl, given) == before
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=given)
    after = stored(kubectl, given)
    for found in (before, after):
        for name in [name for name in found if name.startswith("Deployment/")]:
            found[name].pop("generation")  # counts annotations, too
    assert after == before


def test_component_statuses(each_kubectl: Kubectl) -> None:
    result = each_kubectl("get", "cs")
    assert "Warning: v1 ComponentStatus is deprecated in v1.19+" in result.errors
    rows = [line.split() for line in result.lines]
    assert rows == [
        ["NAME", "STATUS", "MESSAGE", "ERROR"],
        ["controller-manager", "Healthy", "ok"],
        ["etcd-0", "Healthy", "ok"],
        ["scheduler", "Healthy", "ok"],
    ]


GENERATED = [
    (("create", "deployment", "d", "--image=nginx", "--replicas=0"), "deployment.apps/d created"),
    (("create", "job", "j", "--image=busybox", "--dry-run=server"), "job.batch/j created (server dry run)"),
    (("create", "cronjob", "c", "--image=busybox", "--schedule=@daily"), "cronjob.batch/c created"),
    (("create", "quota", "q", "--hard=cpu=1,pods=2"), "resourcequota/q created"),
    (
        ("create", "pdb", "p", "--selector=app=a", "--min-available=50%"),
        "poddisruptionbudget.policy/p created",
    ),
    (("create", "configmap", "m", "--from-literal=a=b"), "configmap/m created"),
    (("create", "secret", "generic", "s", "--from-literal=a=b"), "secret/s created"),
    (
        ("create", "secret", "docker-registry", "r", "--docker-password=x", "--docker-username=u"),
        "secret/r created",
    ),
    (("create", "service", "clusterip", "headless", "--clusterip=None"), "service/headless created"),
    (("create", "service", "nodeport", "n", "--tcp=80:8080"), "service/n created"),
    (("create", "service", "externalname", "e", "--external-name=x.example.com"), "service/e created"),
    (("create", "service", "loadbalancer", "l", "--tcp=80"), "service/l created"),
    (("create", "serviceaccount", "a"), "serviceaccount/a created"),
    (
        ("create", "ingress", "i", "--rule=h.example.com/p*=svc:80,tls=t"),
        "ingress.networking.k8s.io/i created",
    ),
]


@pytest.mark.parametrize(("arguments", "said"), GENERATED, ids=lambda value: "-".join(value[1:3]))
def test_generators(kubectl: Kubectl, arguments: tuple[str, ...], said: str) -> None:
    assert kubectl(*arguments).text == f"{said}\n"


def test_a_workload_is_scaled_exposed_set_and_given_an_autoscaler(each_kubectl: Kubectl) -> None:
    kubectl = each_kubectl
    kubectl("create", "deployment", "d", "--image=nginx:1.25", "--replicas=0", "--port=80")
    assert kubectl("scale", "deployment/d", "--replicas=0").text == "deployment.apps/d scaled\n"
    assert kubectl("expose", "deployment/d", "--port=80").text == "service/d exposed\n"
    said = kubectl("set", "image", "deployment/d", "nginx=nginx:1.26").text
    assert said == "deployment.apps/d image updated\n"
    assert kubectl("set", "env", "deployment/d", "A=1").text == "deployment.apps/d env updated\n"
    said = kubectl("autoscale", "deployment/d", "--max=3", "--cpu-percent=70").text
    assert said == "horizontalpodautoscaler.autoscaling/d autoscaled\n"
    path = f"/apis/autoscaling/v1/namespaces/{kubectl.namespace}/horizontalpodautoscalers/d"
    spec = yaml.safe_load(kubectl("get", "--raw", path).output)["spec"]
    assert spec["targetCPUUtilizationPercentage"] == 70
    assert kubectl.json("get", "deployment", "d")["metadata"]["generation"] == 3


HEADERS = {
    "pods": "NAME READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES",
    "deployments": "NAME READY UP-TO-DATE AVAILABLE AGE CONTAINERS IMAGES SELECTOR",
    "replicasets": "NAME DESIRED CURRENT READY AGE CONTAINERS IMAGES SELECTOR",
    "statefulsets": "NAME READY AGE CONTAINERS IMAGES",
    "daemonsets": "NAME DESIRED CURRENT READY UP-TO-DATE AVAILABLE NODE SELECTOR AGE"
    " CONTAINERS IMAGES SELECTOR",
    "replicationcontrollers": "NAME DESIRED CURRENT READY AGE CONTAINERS IMAGES SELECTOR",
    "jobs": "NAME STATUS COMPLETIONS DURATION AGE CONTAINERS IMAGES SELECTOR",
    "cronjobs": "NAME SCHEDULE TIMEZONE SUSPEND ACTIVE LAST SCHEDULE AGE CONTAINERS IMAGES SELECTOR",
    "services": "NAME TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE SELECTOR",
    "configmaps": "NAME DATA AGE",
    "secrets": "NAME TYPE DATA AGE",
    "serviceaccounts": "NAME SECRETS AGE",
    "podtemplates": "NAME CONTAINERS IMAGES POD LABELS",
    "persistentvolumeclaims": "NAME STATUS VOLUME CAPACITY ACCESS MODES STORAGECLASS"
    " VOLUMEATTRIBUTESCLASS AGE VOLUMEMODE",
    "horizontalpodautoscalers": "NAME REFERENCE TARGETS MINPODS MAXPODS REPLICAS AGE",
    "poddisruptionbudgets": "NAME MIN AVAILABLE MAX UNAVAILABLE ALLOWED DISRUPTIONS AGE",
    "resourcequotas": "NAME REQUEST LIMIT AGE",
    "limitranges": "NAME CREATED AT",
    "controllerrevisions": "NAME CONTROLLER REVISION AGE",
    "events": "LAST SEEN TYPE REASON OBJECT SUBOBJECT SOURCE MESSAGE FIRST SEEN COUNT NAME",
    "namespaces": "NAME STATUS AGE",
}  # fmt: skip


def test_columns(rest: Rest) -> None:
    """Those of `-o wide`, all kinds without a request of kubectl for each."""
    groups = {"deployments": "apps", "replicasets": "apps", "statefulsets": "apps", "daemonsets": "apps"}
    groups |= {"controllerrevisions": "apps", "jobs": "batch", "cronjobs": "batch"}
    groups |= {"horizontalpodautoscalers": "autoscaling", "poddisruptionbudgets": "policy"}
    for plural, expected in HEADERS.items():
        version = "v2" if plural == "horizontalpodautoscalers" else "v1"
        root = f"/apis/{groups[plural]}/{version}" if plural in groups else "/api/v1"
        headers = {**rest.headers, "Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
        table = rest.send("GET", f"{root}/{plural}", data=None, headers=headers, limit=1).object
        assert " ".join(each["name"].upper() for each in table["columnDefinitions"]) == expected, plural


def test_mistakes_are_named(kubectl: Kubectl) -> None:
    nameless = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}
    pod = {**nameless, "spec": {"containers": [{"name": "c"}]}}
    result = kubectl.attempt("create", "-f", "-", stdin=manifest(pod))
    assert result.code == 1
    assert result.errors == 'The Pod "x" is invalid: spec.containers[0].image: Required value\n'


def test_a_pod_that_waits_for_a_node_is_evicted_whatever_budgets_say(kubectl: Kubectl) -> None:
    waiting = pods.pod("waits", pods.container("busybox"), schedulerName="nobody")
    kubectl.apply({**waiting, "metadata": {"name": "waits", "labels": {"app": "a"}}})
    kubectl("create", "pdb", "p", "--selector=app=a", "--min-available=1")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "waits"}}
    path = f"/api/v1/namespaces/{kubectl.namespace}/pods/waits/eviction"
    answer = kubectl("create", "--raw", path, "-f", "-", stdin=manifest(eviction))
    assert json.loads(answer.output)["status"] == "Success"
    assert kubectl.attempt("get", "pod", "waits").code == 1
