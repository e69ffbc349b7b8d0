"""The kinds that a definition makes: one for each served version, each with its schema, columns and paths."""

from collections.abc import Mapping
from types import MappingProxyType

from kubeling.objects.meta import Object
from server.registry.custom.conversion import Post, WebhookConverter
from server.registry.custom.definition import Definition, Names, Version, version_priority
from server.registry.custom.form import CustomForm
from server.registry.custom.strategy import CustomStrategy
from server.registry.groups.subresources import SCALE, status
from server.registry.kind import Kind, ScalePaths, Subresource
from server.schema.custom import CustomSchema, compiled

VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
"""In the order of custom resources' discovery documents."""


def kinds_of(definition: Definition, post: Post) -> list[Kind]:
    """The kinds to be served, the preferred version first."""
    return _kinds(definition, definition.served, post)


def storage_kind(definition: Definition, post: Post) -> Kind:
    """The kind in the version that objects are stored in, served or not: for emptying it."""
    stored = [each for each in definition.versions if each.name == definition.storage_version]
    return _kinds(definition, stored, post)[0]


def _kinds(definition: Definition, versions: list[Version], post: Post) -> list[Kind]:
    group = definition.group
    schemas = {f"{group}/{each.name}": _schema(definition, each) for each in definition.versions}
    webhook = definition.conversion_webhook
    converter = WebhookConverter(webhook, post) if webhook is not None else None
    return [_kind(definition, version, schemas, converter) for version in versions]


def _schema(definition: Definition, version: Version) -> CustomSchema:
    return compiled(version.schema, preserve_unknown_fields=definition.preserves_unknown_fields)


def _kind(
    definition: Definition,
    version: Version,
    schemas: Mapping[str, CustomSchema],
    converter: WebhookConverter | None,
) -> Kind:
    names, schema = definition.accepted, schemas[f"{definition.group}/{version.name}"]
    names = names if names.kind else definition.names
    return Kind(
        definition.group,
        names.kind,
        names.plural,
        CustomStrategy(version, schema),
        versions=(version.name,),
        namespaced=definition.namespaced,
        short_names=names.short_names,
        categories=names.categories,
        verbs=VERBS,
        subresources=MappingProxyType(_subresources(names, version)),
        own_singular=names.singular,
        own_list_kind=names.list_kind,
        types=lambda _: schema.struct,
        form=CustomForm(
            group=definition.group,
            seen=version.name,
            stored=definition.storage_version,
            schemas=schemas,
            converter=converter,
        ),
        deprecations=_deprecations(definition, version),
        scale_paths=_scale_paths(version.scale),
        custom_schema=version.schema if not definition.preserves_unknown_fields else {},
        terminating=definition.terminating,
    )


def _subresources(names: Names, version: Version) -> dict[str, Subresource]:
    found = dict(status(names.kind)) if version.status else {}
    return found | {"scale": SCALE} if version.scale is not None else found


def _scale_paths(scale: Object | None) -> ScalePaths:
    if scale is None:
        return ScalePaths()
    return ScalePaths(
        _split(scale.get("specReplicasPath")),
        _split(scale.get("statusReplicasPath")),
        _split(scale.get("labelSelectorPath")),
        required=True,
    )


def _split(path: str | None) -> tuple[str, ...]:
    return tuple(path.removeprefix(".").split(".")) if path else ()


def _deprecations(definition: Definition, version: Version) -> Mapping[str, str]:
    if not version.content.get("deprecated"):
        return MappingProxyType({})
    text = version.content.get("deprecationWarning") or _default_warning(definition, version.name)
    return MappingProxyType({version.name: text})


def _default_warning(definition: Definition, name: str) -> str:
    """What is deprecated, and the best served version to use instead, if there is a better one."""
    group, kind = definition.group, definition.names.kind
    better = [
        each.name
        for each in definition.served
        if not each.content.get("deprecated") and version_priority(each.name) < version_priority(name)
    ]
    text = f"{group}/{name} {kind} is deprecated"
    return f"{text}; use {group}/{better[0]} {kind}" if better else text
