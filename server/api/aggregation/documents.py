"""What another server says of its resources, as aggregated discovery has it."""

from collections.abc import Sequence
from typing import Any

from kubeling.objects.meta import Object
from server.api.aggregation.remotes import Remote


def remote_version(remote: Remote) -> Object:
    """One version of a group; what is known of a server that is away may be out of date."""
    found: Object = {
        "version": remote.version,
        "resources": _resources(remote, remote.resources),
        "freshness": "Current" if remote.available else "Stale",
    }
    return found


def _resources(remote: Remote, listed: Sequence[Object]) -> list[Object]:
    found: dict[str, Object] = {}
    for each in listed:
        name, slash, subresource = str(each["name"]).partition("/")
        if not slash:
            found[name] = _resource(remote, each)
    for each in listed:
        name, slash, subresource = str(each["name"]).partition("/")
        if slash and name in found:
            part = {
                "subresource": subresource,
                "responseKind": _kind(remote, each),
                "verbs": _texts(each, "verbs"),
            }
            found[name].setdefault("subresources", []).append(part)
    return list(found.values())


def _resource(remote: Remote, each: Object) -> Object:
    resource: Object = {
        "resource": each["name"],
        "responseKind": _kind(remote, each),
        "scope": "Namespaced" if each.get("namespaced") else "Cluster",
        "singularResource": each.get("singularName") or "",
        "verbs": _texts(each, "verbs"),
    }
    for name in ("shortNames", "categories"):
        if given := _texts(each, name):
            resource[name] = given
    return resource


def _kind(remote: Remote, each: Object) -> Object:
    return {
        "group": each.get("group") or remote.group,
        "version": each.get("version") or remote.version,
        "kind": each.get("kind") or "",
    }


def _texts(each: Object, name: str) -> list[Any]:
    given = each.get(name)
    return list(given) if isinstance(given, list) else []
