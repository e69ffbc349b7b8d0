"""Which groups, versions and resources there are: /api, /apis and below, legacy and aggregated.

Documents are made from the registry's kinds when first asked for, and kept until the kinds change.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

import orjson

from kubeling.objects.meta import Object
from server.api.aggregation.documents import remote_version
from server.api.aggregation.remotes import Remote
from server.api.negotiation import JSON, error_media, parse_accept
from server.api.render import document_reply
from server.api.reply import Reply
from server.registry.kind import Kind, Subresource, api_version

_AGGREGATED = "apidiscovery.k8s.io"
_PRIORITY = (
    "", "apiregistration.k8s.io", "apps", "events.k8s.io", "authentication.k8s.io", "authorization.k8s.io",
    "autoscaling", "batch", "certificates.k8s.io", "networking.k8s.io", "policy", "rbac.authorization.k8s.io",
    "storage.k8s.io", "admissionregistration.k8s.io", "apiextensions.k8s.io", "scheduling.k8s.io",
    "coordination.k8s.io", "node.k8s.io", "discovery.k8s.io", "resource.k8s.io",
    "flowcontrol.apiserver.k8s.io",
)  # fmt: skip
"""The order of groups: where two groups have a resource of one name, kubectl takes the first."""


def _group_order(group: str) -> tuple[int, str]:
    return (_PRIORITY.index(group), group) if group in _PRIORITY else (len(_PRIORITY), group)


class Discovery:
    """The discovery documents for a set of kinds."""

    def __init__(
        self,
        kinds: Callable[[], Iterable[Kind]],
        *,
        address: str,
        generation: Callable[[], int] = lambda: 0,
        remotes: Callable[[], Iterable[Remote]] = tuple,
    ) -> None:
        """`generation` counts the changes of the kinds, and of what other servers have."""
        self._read_kinds = kinds
        self._read_remotes = remotes
        self._remotes: Mapping[tuple[str, str], Remote] = {}
        self._address = address
        self._generation = generation
        self._made_at = -1
        self._made: Mapping[str, Mapping[str, Sequence[Kind]]] = {}
        self._pages: dict[tuple[str, ...], bytes] = {}

    @property
    def groups(self) -> Mapping[str, Mapping[str, Sequence[Kind]]]:
        """Group → version → kinds, groups in their order, each group's preferred version first."""
        if self._made_at != self._generation():
            self._made_at = self._generation()
            self._made = self._grouped()
            self._pages = {}
        return self._made

    def _grouped(self) -> Mapping[str, Mapping[str, Sequence[Kind]]]:
        kinds = sorted(self._read_kinds(), key=lambda kind: (_group_order(kind.group), kind.plural))
        groups: dict[str, dict[str, list[Kind]]] = {}
        for kind in kinds:
            for version in kind.versions:
                groups.setdefault(kind.group, {}).setdefault(version, []).append(kind)
        self._remotes = {
            each.key: each for each in self._read_remotes() if each.version not in groups.get(each.group, {})
        }
        for group, version in self._remotes:
            groups.setdefault(group, {})[version] = []
        ordered = sorted(groups, key=_group_order)
        return {group: dict(sorted(groups[group].items(), key=_version_order)) for group in ordered}

    def answer(self, path: str, accept: str) -> Reply | None:
        """The document at a path such as /apis/apps/v1; None when there is none."""
        segments = path.strip("/").split("/")
        wanted = aggregated_version(accept) if len(segments) == 1 else ""
        if wanted and segments[0] in ("api", "apis"):
            return self._aggregated(segments[0], wanted)
        document = self._document(segments)
        if document is None:
            return None
        return document_reply(document, media=error_media(accept))

    def _document(self, segments: list[str]) -> Object | None:
        match segments:
            case ["api"]:
                return self._api_versions()
            case ["api", version]:
                return self._resources("", version)
            case ["apis"]:
                groups = [_group(name, self.groups[name]) for name in self.groups if name]
                return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
            case ["apis", name] if name and name in self.groups:
                return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, self.groups[name])}
            case ["apis", name, version] if name:
                return self._resources(name, version)
        return None

    def _api_versions(self) -> Object:
        server = {"clientCIDR": "0.0.0.0/0", "serverAddress": self._address}
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [server]}

    def _resources(self, group: str, version: str) -> Object | None:
        kinds = self.groups.get(group, {}).get(version)
        if kinds is None:
            return None
        document: Object = {"kind": "APIResourceList"}
        if group:
            document["apiVersion"] = "v1"
        document["groupVersion"] = api_version(group, version)
        document["resources"] = [resource for kind in kinds for resource in _legacy_resources(kind, version)]
        return document

    def _aggregated(self, prefix: str, version: str) -> Reply:
        groups = self.groups
        body = self._pages.get((prefix, version)) or self._aggregate(groups, prefix, version)
        kind = "APIGroupDiscoveryList"
        etag = hashlib.sha512(body).hexdigest().upper()
        return Reply(
            body,
            content_type=f"{JSON};g={_AGGREGATED};v={version};as={kind}",
            headers=(("ETag", f'"{etag}"'), ("Vary", "Accept")),
        )

    def _aggregate(
        self, groups: Mapping[str, Mapping[str, Sequence[Kind]]], prefix: str, version: str
    ) -> bytes:
        names = [name for name in groups if bool(name) == (prefix == "apis")]
        document = {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"{_AGGREGATED}/{version}",
            "metadata": {},
            "items": [_aggregated_group(name, groups[name], self._remotes) for name in names],
        }
        body = self._pages[prefix, version] = orjson.dumps(document)
        return body


@lru_cache(maxsize=256)
def aggregated_version(accept: str) -> str:
    """The version of aggregated discovery that the client prefers, or "" when it prefers the legacy form."""
    for clause in parse_accept(accept):
        if not clause.covers(JSON):
            continue
        if not clause.parameter("as"):
            return ""
        version = clause.parameter("v")
        wants = (clause.parameter("g"), clause.parameter("as")) == (_AGGREGATED, "APIGroupDiscoveryList")
        if wants and version in ("v2", "v2beta1"):
            return version
    return ""


def _version_order(item: tuple[str, Sequence[Kind]]) -> tuple[int, int, int, str]:
    """Stable versions first, then beta, then alpha; within each the higher number first."""
    version = item[0].removeprefix("v")
    for rank, stage in ((1, "beta"), (2, "alpha")):
        major, found, minor = version.partition(stage)
        if found:
            return (rank, -_number(major), -_number(minor), version)
    return (0, -_number(version), 0, version)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _group(name: str, versions: Mapping[str, Sequence[Kind]]) -> Object:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def _legacy_resources(kind: Kind, version: str) -> Iterable[Object]:
    resource: Object = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.listed_verbs),
    }
    if kind.short_names:
        resource["shortNames"] = list(kind.short_names)
    if kind.categories:
        resource["categories"] = list(kind.categories)
    if kind.stored:
        resource["storageVersionHash"] = _storage_version_hash(kind)
    yield resource
    for name, subresource in sorted(kind.subresources.items()):
        yield _legacy_subresource(kind, name, subresource)


def _legacy_subresource(kind: Kind, name: str, subresource: Subresource) -> Object:
    document: Object = {"name": f"{kind.plural}/{name}", "singularName": "", "namespaced": kind.namespaced}
    if subresource.version:
        document |= {"group": subresource.group, "version": subresource.version}
    return document | {"kind": subresource.kind, "verbs": list(subresource.verbs)}


def _storage_version_hash(kind: Kind) -> str:
    """Changes when the storage version does; clients only compare it."""
    import base64

    version = kind.form.version if kind.form is not None else kind.version
    text = f"{kind.group}/{version}/{kind.kind}"
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()


def _aggregated_group(
    name: str, versions: Mapping[str, Sequence[Kind]], remotes: Mapping[tuple[str, str], Remote]
) -> Object:
    return {
        "metadata": {"name": name} if name else {},
        "versions": [
            remote_version(remotes[name, version])
            if (name, version) in remotes
            else {
                "version": version,
                "resources": [_aggregated_resource(kind, version) for kind in kinds],
                "freshness": "Current",
            }
            for version, kinds in versions.items()
        ],
    }


def _response_kind(kind: Kind, version: str, name: str) -> Object:
    """A built-in kind leaves out its group and version, which stand above it."""
    group, own = (kind.group, version) if kind.custom else ("", "")
    return {"group": group, "version": own, "kind": name}


def _aggregated_resource(kind: Kind, version: str) -> Object:
    resource: Object = {
        "resource": kind.plural,
        "responseKind": _response_kind(kind, version, kind.kind),
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.listed_verbs),
    }
    if kind.short_names:
        resource["shortNames"] = list(kind.short_names)
    if kind.categories:
        resource["categories"] = list(kind.categories)
    if kind.subresources:
        resource["subresources"] = [
            _aggregated_subresource(kind, version, name, subresource)
            for name, subresource in sorted(kind.subresources.items())
        ]
    return resource


def _aggregated_subresource(kind: Kind, version: str, name: str, subresource: Subresource) -> Object:
    response = _response_kind(kind, version, subresource.kind)
    if subresource.version:
        response |= {"group": subresource.group, "version": subresource.version}
    return {
        "subresource": name,
        "responseKind": response,
        "verbs": list(subresource.verbs),
    }
