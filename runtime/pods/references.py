"""Which ConfigMaps, Secrets and trust bundles a pod refers to, so that just these are watched.

They are read elsewhere.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from kubeling.objects.meta import Object, namespace
from runtime.pods.containers.kinds import containers_of

CONFIG_MAP, SECRET = "ConfigMap", "Secret"
TRUST_BUNDLES = "ClusterTrustBundleList"
"""All trust bundles at once: they are chosen by signer and labels. The reference has no name."""


class Reference(NamedTuple):
    """What a pod names. `kind` is CONFIG_MAP, SECRET or TRUST_BUNDLES."""

    kind: str
    namespace: str
    name: str

    @property
    def missing(self) -> str:
        """What the API says when there is no such object."""
        return f'{self.kind.lower()} "{self.name}" not found'


Sources = Mapping[Reference, Object]
"""The referenced objects that exist."""


def pod_references(pod: Object) -> set[Reference]:
    space, spec = namespace(pod), pod.get("spec") or {}
    found = set(volume_references(pod))
    for container in containers_of(pod):
        found.update(environment_references(container, space))
    for secret in spec.get("imagePullSecrets") or []:
        if secret.get("name"):
            found.add(Reference(SECRET, space, secret["name"]))
    return found


def environment_references(container: Object, space: str) -> Iterator[Reference]:
    for source in container.get("envFrom") or []:
        yield from _named(source, space, {"configMapRef": CONFIG_MAP, "secretRef": SECRET})
    for variable in container.get("env") or []:
        value_from = variable.get("valueFrom") or {}
        yield from _named(value_from, space, {"configMapKeyRef": CONFIG_MAP, "secretKeyRef": SECRET})


def volume_references(pod: Object, *, optional: bool = True) -> Iterator[Reference]:
    """Without `optional` only what the volumes cannot be set up without."""
    space = namespace(pod)
    for volume in (pod.get("spec") or {}).get("volumes") or []:
        for reference, may_be_absent in _of_volume(volume, space):
            if optional or not may_be_absent:
                yield reference


def _of_volume(volume: Object, space: str) -> Iterator[tuple[Reference, bool]]:
    """Each object, and whether it may be absent."""
    named = [(volume, "secretName"), *((each, "name") for each in _projections(volume))]
    for source, secret_name in named:
        for field, kind, name in (("configMap", CONFIG_MAP, "name"), ("secret", SECRET, secret_name)):
            given = source.get(field)
            if given:
                yield Reference(kind, space, given.get(name, "")), bool(given.get("optional"))
    if any(each.get("clusterTrustBundle") for each in _projections(volume)):
        yield Reference(TRUST_BUNDLES, "", ""), True


def _projections(volume: Object) -> list[Object]:
    return (volume.get("projected") or {}).get("sources") or []


def _named(source: Object, space: str, kinds: Mapping[str, str]) -> Iterable[Reference]:
    for field, kind in kinds.items():
        if source.get(field):
            yield Reference(kind, space, source[field].get("name", ""))
