"""Random operations on random workloads: what a moody user does. The same choices do the same.

Not here: the verdict (`conformance.converged`), and the deaths of processes and nodes.
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

Object = dict[str, Any]

NAMES = ("a", "b", "c")
MOST = 6
"""Replicas of one workload."""
POLICIES = ("Background", "Foreground", "Orphan")
SCALABLE = ("deployments", "replicasets", "replicationcontrollers", "statefulsets")
WORKLOADS = (*SCALABLE, "daemonsets", "jobs")
TEMPLATED = ("deployments", "statefulsets", "daemonsets")
_HEADS = {
    "deployments": ("apps/v1", "Deployment"),
    "replicasets": ("apps/v1", "ReplicaSet"),
    "replicationcontrollers": ("v1", "ReplicationController"),
    "statefulsets": ("apps/v1", "StatefulSet"),
    "daemonsets": ("apps/v1", "DaemonSet"),
    "jobs": ("batch/v1", "Job"),
}


class Operation:
    """What is asked of the API: a method, a resource, a name, a body."""

    def __init__(self, verb: str, resource: str, name: str, body: Object | None = None) -> None:
        self.verb, self.resource, self.name, self.body = verb, resource, name, body

    def __repr__(self) -> str:
        return f"{self.verb} {self.resource}/{self.name} {self.body or ''}".strip()


class Moody:
    """`pods` tells the names of the pods that there are, so that some can be deleted."""

    def __init__(self, choose: random.Random, *, image: str, pods: Callable[[], list[str]]) -> None:
        self._choose = choose
        self._image = image
        self._pods = pods
        self._made: dict[tuple[str, str], None] = {}

    def next(self) -> Operation:
        """Creation of what is there already, and deletion of what is not, are among them."""
        verbs = ("create", "create", "create", "scale", "scale", "template", "delete", "kill", "kill")
        match self._choose.choice(verbs):
            case "create":
                return self._create(self._choose.choice(WORKLOADS))
            case "scale":
                body: Object = {"spec": {"replicas": self._choose.randint(0, MOST)}}
                return Operation("patch", *self._known(SCALABLE), body)
            case "template":
                image = f"{self._image}:{self._choose.randint(1, 3)}"
                container = {"name": "main", "image": image}
                body = {"spec": {"template": {"spec": {"containers": [container]}}}}
                return Operation("patch", *self._known(TEMPLATED), body)
            case "delete":
                options = {"propagationPolicy": self._choose.choice(POLICIES)}
                return Operation("delete", *self._known(WORKLOADS), options)
            case _:
                return self._kill()

    def _known(self, resources: Sequence[str]) -> tuple[str, str]:
        """One that was made at some time, if there is any; it may be gone by now."""
        made = [each for each in self._made if each[0] in resources]
        return self._choose.choice(made) if made else (self._choose.choice(resources), self._name())

    def _kill(self) -> Operation:
        pods, number = sorted(self._pods()), self._choose.randrange(100)
        name = pods[number % len(pods)] if pods else "nobody"
        return Operation("delete", "pods", name, {"gracePeriodSeconds": self._choose.choice((0, 1))})

    def _name(self) -> str:
        return self._choose.choice(NAMES)

    def _create(self, resource: str) -> Operation:
        version, kind = _HEADS[resource]
        name = self._name()
        self._made[resource, name] = None
        labels = {"app": f"{resource}-{name}"}
        template = {"metadata": {"labels": labels}, "spec": self._pod_spec(resource)}
        spec: Object = {"template": template}
        if resource == "jobs":
            spec |= {"completions": self._choose.randint(1, 4), "parallelism": self._choose.randint(1, 3)}
        else:
            spec["selector"] = labels if resource == "replicationcontrollers" else {"matchLabels": labels}
        if resource in SCALABLE:
            spec["replicas"] = self._choose.randint(0, MOST)
        if resource == "statefulsets":
            spec |= {"serviceName": name, "podManagementPolicy": self._choose.choice(_MANAGEMENT)}
        body = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec}
        return Operation("create", resource, name, body)

    def _pod_spec(self, resource: str) -> Object:
        container: Object = {"name": "main", "image": f"{self._image}:1"}
        spec: Object = {"terminationGracePeriodSeconds": 1, "containers": [container]}
        if resource == "jobs":
            container["command"] = ["true"]
            spec["restartPolicy"] = "Never"
        return spec


_MANAGEMENT = ("OrderedReady", "Parallel")
