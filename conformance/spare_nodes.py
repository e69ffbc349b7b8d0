"""Virtual nodes of a test's own, on which no other pods run.

Not here: the nodes that the cluster came with.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from conformance import pods
from conformance.rest import STRATEGIC, Rest
from conformance.space import Space
from conformance.waiting import eventually

Object = dict[str, Any]
TAINT = "conformance/spare"
LABEL = "conformance/spare"


@dataclass(frozen=True)
class Spare:
    rest: Rest
    name: str
    path: str
    owner: str

    def here(self) -> Object:
        """The part of a pod's spec that lets it run on this node and no other."""
        return {"nodeSelector": {"kubernetes.io/hostname": self.name}, "tolerations": [self.toleration]}

    def among(self) -> Object:
        """On this node or another of the same test."""
        return {"nodeSelector": {LABEL: self.owner}, "tolerations": [self.toleration]}

    @property
    def toleration(self) -> Object:
        return {"key": TAINT, "operator": "Exists"}

    def offer(self, **resources: str) -> None:
        """Say in the node's status that it has these, too; and wait until it offers them."""
        named = {name.replace("__", "/").replace("_", "."): amount for name, amount in resources.items()}
        self.rest.patch(
            f"{self.path}/status",
            {"status": {"capacity": named}},
            content_type=STRATEGIC,
        )
        eventually(lambda: named.items() <= self._offered().items(), what=f"{self.name} offers {named}")

    def _offered(self) -> dict[str, str]:
        allocatable: dict[str, str] = self.rest.get(self.path)["status"]["allocatable"]
        return allocatable

    def label(self, **labels: str | None) -> None:
        self.rest.patch(self.path, {"metadata": {"labels": labels}})


@contextmanager
def spare(
    space: Space, *, count: int = 1, cpu: str = "4", labels: Mapping[str, str] | None = None
) -> Iterator[list[Spare]]:
    """Ready nodes that are gone at the end."""
    with ExitStack() as stack:
        made = [stack.enter_context(_spare(space, number, cpu, labels or {})) for number in range(count)]
        for node in made:
            eventually(lambda node=node: _is_ready(node), what=f"{node.name} is Ready")  # type: ignore[misc]
        yield made


@contextmanager
def _spare(space: Space, number: int, cpu: str, labels: Mapping[str, str]) -> Iterator[Spare]:
    name = f"spare-{space.name}-{number}"
    own = {"kubeling.dev/virtual": "true", "kubernetes.io/hostname": name, LABEL: space.name}
    offers = {"cpu": cpu, "memory": "8Gi", "pods": "110"}
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {**own, **labels}},
        "spec": {"taints": [{"key": TAINT, "value": space.name, "effect": "NoSchedule"}]},
        "status": {"capacity": offers, "allocatable": offers},
    }
    space.rest.post("/api/v1/nodes", node)
    made = Spare(space.rest, name, f"/api/v1/nodes/{name}", space.name)
    try:
        yield made
    finally:
        space.rest.request("DELETE", made.path)


def _is_ready(node: Spare) -> bool:
    found = node.rest.get(node.path)
    taints = [taint["key"] for taint in found["spec"].get("taints") or ()]
    return pods.ready(found) and taints == [TAINT]
