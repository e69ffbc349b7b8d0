"""Definitions of custom resources for tests: a group of a test's own, and what most of them ask of it.

Not here: clients under test.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from conformance.rest import Rest
from conformance.waiting import eventually

Object = dict[str, Any]
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True)
class Customs:
    """The kind CronTab in a group that no other test has."""

    rest: Rest
    group: str
    namespace: str

    @property
    def name(self) -> str:
        return f"crontabs.{self.group}"

    @property
    def collection(self) -> str:
        return self.path("v1")

    def path(self, version: str) -> str:
        return f"/apis/{self.group}/{version}/namespaces/{self.namespace}/crontabs"

    def definition(self, *versions: Object, **spec: Any) -> Object:
        names = {"plural": "crontabs", "kind": "CronTab", "shortNames": ["ct"], "categories": ["tabs"]}
        wanted = {"group": self.group, "scope": "Namespaced", "names": names, **spec}
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": self.name},
            "spec": {**wanted, "versions": list(versions) or [version("v1")]},
        }

    def tab(self, name: str, *, version: str = "v1", **spec: Any) -> Object:
        api_version = f"{self.group}/{version}"
        return {"apiVersion": api_version, "kind": "CronTab", "metadata": {"name": name}, "spec": spec}

    def establish(self, *versions: Object, **spec: Any) -> None:
        self.rest.post(CRDS, self.definition(*versions, **spec))
        eventually(self.established, what=f"{self.name} is established", every=0.01)

    def established(self) -> bool:
        return self.condition("Established").get("status") == "True"

    def condition(self, kind: str) -> Object:
        found = self.rest.get(f"{CRDS}/{self.name}")["status"].get("conditions") or []
        return next((each for each in found if each["type"] == kind), {})


def version(name: str, **more: Any) -> Object:
    spec = {
        "type": "object",
        "description": "What is wanted.",
        "properties": {
            "cronSpec": {"type": "string", "description": "When it runs."},
            "image": {"type": "string"},
            "replicas": {"type": "integer", "minimum": 0, "default": 1},
        },
    }
    status = {
        "type": "object",
        "properties": {"replicas": {"type": "integer"}, "labelSelector": {"type": "string"}},
    }
    schema = {"type": "object", "description": "A tab.", "properties": {"spec": spec, "status": status}}
    paths = {
        "specReplicasPath": ".spec.replicas",
        "statusReplicasPath": ".status.replicas",
        "labelSelectorPath": ".status.labelSelector",
    }
    columns = [
        {"name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec"},
        {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
        {"name": "Image", "type": "string", "jsonPath": ".spec.image", "priority": 1},
    ]
    return {
        "name": name,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}, "scale": paths},
        "additionalPrinterColumns": columns,
        **more,
    }


@contextmanager
def opened(rest: Rest, namespace: str) -> Iterator[Customs]:
    customs = Customs(rest, f"{namespace}.example.com", namespace)
    try:
        yield customs
    finally:
        rest.request("DELETE", f"{CRDS}/{customs.name}")
