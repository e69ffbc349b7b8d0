"""Nodes whose pods run no containers."""

from kubeling.objects import meta
from kubeling.objects.meta import Object

LABEL = "kubeling.dev/virtual"


def is_virtual(node: Object) -> bool:
    return meta.labels(node).get(LABEL) == "true"
