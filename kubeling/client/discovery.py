"""Reading aggregated discovery: which resources a server has, and which it does not know itself."""

from collections.abc import Iterable, Iterator

from kubeling.client.protocol import Discovery
from kubeling.client.resources import Resource
from kubeling.objects.meta import Object

_FORM = "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
AGGREGATED = ",".join(_FORM.format(version=version) for version in ("v2", "v2beta1"))
"""What to accept, to be given the aggregated documents."""


def discovery_of(groups: Iterable[Object]) -> Discovery:
    """From the items of the documents at /api and /apis, whose versions stand in order of preference."""
    every: list[Resource] = []
    failures: dict[str, str] = {}
    for group in groups:
        name = str((group.get("metadata") or {}).get("name") or "")
        for version in group.get("versions") or ():
            place = f"{name}/{version['version']}"
            if version.get("freshness") == "Stale":
                failures[place] = f"stale GroupVersion discovery: {place}"
            else:
                every += _resources(name, version)
    return Discovery(preferred(every), every, failures)


def preferred(every: Iterable[Resource]) -> list[Resource]:
    """Each resource once, in the first of its versions."""
    found: dict[tuple[str, str], Resource] = {}
    for each in every:
        found.setdefault((each.group, each.plural), each)
    return list(found.values())


def _resources(group: str, version: Object) -> Iterator[Resource]:
    for each in version.get("resources") or ():
        kind = (each.get("responseKind") or {}).get("kind") or ""
        namespaced, verbs = each.get("scope") == "Namespaced", frozenset(each.get("verbs") or ())
        yield Resource(group, version["version"], each["resource"], kind, namespaced, verbs)
