"""The paths of OpenAPI documents: for each kind its URLs, and for each URL its operations.

What clients read from them: which kind an operation is about (x-kubernetes-group-version-kind), and
whether it takes the fieldValidation parameter. Requests and answers refer to the kind's schema.
"""

from collections.abc import Callable, Iterable
from typing import Any

from server.registry.kind import Kind, Subresource

Operation = dict[str, Any]
Paths = dict[str, dict[str, Any]]

_METHODS = {
    "get": "get",
    "list": "get",
    "create": "post",
    "update": "put",
    "patch": "patch",
    "delete": "delete",
    "deletecollection": "delete",
}
_ACTIONS = _METHODS | {"get": "get", "list": "list", "deletecollection": "deletecollection", "create": "post"}
_NAMED = {"get": "read", "update": "replace", "deletecollection": "delete"}
"""What operations' ids call a verb, where it is not the verb itself."""
_STATUS = ("", "v1", "Status")
_COLLECTION = ("list", "create", "deletecollection")
_STRATEGIC = "application/strategic-merge-patch+json"
_PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    _STRATEGIC,
    "application/apply-patch+yaml",
)
_BODIES = ("application/json", "application/yaml")
_WRITE = ("dryRun", "fieldManager", "fieldValidation")
_SELECT = (
    "allowWatchBookmarks", "continue", "fieldSelector", "labelSelector", "limit", "resourceVersion",
    "resourceVersionMatch", "sendInitialEvents", "timeoutSeconds", "watch",
)  # fmt: skip
_DELETE = ("dryRun", "gracePeriodSeconds", "orphanDependents", "propagationPolicy")
_PARAMETERS = {
    "list": _SELECT,
    "create": _WRITE,
    "update": _WRITE,
    "patch": (*_WRITE, "force"),
    "delete": _DELETE,
    "deletecollection": (*_DELETE, *_SELECT),
}
_TYPES = {
    "limit": "integer", "timeoutSeconds": "integer", "gracePeriodSeconds": "integer", "watch": "boolean",
    "allowWatchBookmarks": "boolean", "sendInitialEvents": "boolean", "orphanDependents": "boolean",
    "force": "boolean",
}  # fmt: skip
_TEXTS = {
    "allowWatchBookmarks": "Asks for events of type BOOKMARK in a watch, which tell how far it is.",
    "continue": "The token that came with one part of a list, to get the next part.",
    "dryRun": "All, the only value that is valid, makes the server keep nothing of the change.",
    "fieldManager": "The name of the actor that makes the change; at most 128 printable characters.",
    "fieldSelector": "Restricts the list of returned objects by some of their fields.",
    "fieldValidation": "How unknown and duplicate fields are treated: Ignore, Warn (the default) or Strict.",
    "force": "Takes fields over from other managers; only for applied configurations.",
    "gracePeriodSeconds": "Seconds until the object is deleted; 0 is at once. By default the kind decides.",
    "labelSelector": "Restricts the list of returned objects by their labels.",
    "limit": "The most objects that one answer may hold; the rest is asked for with its continue token.",
    "orphanDependents": "Deprecated: propagationPolicy says the same.",
    "pretty": "Whether the answer is indented, for people.",
    "propagationPolicy": "What becomes of dependent objects: Orphan, Background or Foreground.",
    "resourceVersion": "How fresh the answer must be, or the version after which a watch begins.",
    "resourceVersionMatch": "How resourceVersion is meant in a list: Exact or NotOlderThan.",
    "sendInitialEvents": "Makes a watch begin with the objects that there are, closed by a bookmark.",
    "timeoutSeconds": "Seconds after which a list or a watch ends, whatever it did.",
    "watch": "Watch for changes to the described resources: a stream of events instead of a list.",
}

Find = Callable[[str, str, str], str]
"""Group, version and kind → the name of the schema, or ""."""


class Writer:
    """Writes paths for one version of OpenAPI, which differ in how bodies and parameters are put."""

    def __init__(self, *, swagger: bool, find: Find) -> None:
        self._swagger = swagger
        self._find = find

    def paths(self, kind: Kind, version: str) -> Paths:
        """All paths of a kind in one version."""
        root = f"/api/{version}" if not kind.group else f"/apis/{kind.group}/{version}"
        collection = (
            f"{root}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"{root}/{kind.plural}"
        )
        paths = {
            collection: self._item(
                collection, kind, version, [verb for verb in kind.verbs if verb in _COLLECTION]
            ),
            f"{collection}/{{name}}": self._item(
                f"{collection}/{{name}}",
                kind,
                version,
                [verb for verb in kind.verbs if verb not in _COLLECTION],
            ),
        }
        if kind.namespaced and "list" in kind.verbs:
            paths[f"{root}/{kind.plural}"] = self._item(f"{root}/{kind.plural}", kind, version, ["list"])
        for name, subresource in sorted(kind.subresources.items()):
            path = f"{collection}/{{name}}/{name}"
            paths[path] = self._subresource_item(path, kind, version, subresource, name)
        return {path: item for path, item in paths.items() if len(item) > 1}

    def _item(self, path: str, kind: Kind, version: str, verbs: Iterable[str]) -> dict[str, Any]:
        subject = (kind.group, version, kind.kind)
        suffix = kind.kind if "{namespace}" not in path else f"Namespaced{kind.kind}"
        if kind.namespaced and "{namespace}" not in path:
            suffix += "ForAllNamespaces"
        item: dict[str, Any] = {
            _METHODS[verb]: self._operation(verb, subject, kind, version, suffix=suffix)
            for verb in verbs
            if verb in _METHODS
        }
        return item | {"parameters": self._path_parameters(path)}

    def _subresource_item(
        self, path: str, kind: Kind, version: str, subresource: Subresource, name: str
    ) -> dict[str, Any]:
        group, own = (
            (subresource.group, subresource.version) if subresource.version else (kind.group, version)
        )
        subject = (group, own, subresource.kind)
        suffix = f"{'Namespaced' if kind.namespaced else ''}{kind.kind}{name.capitalize()}"
        item: dict[str, Any] = {
            _METHODS[verb]: self._operation(verb, subject, kind, version, suffix=suffix)
            for verb in subresource.verbs
            if verb in _METHODS
        }
        return item | {"parameters": self._path_parameters(path)}

    def _operation(
        self, verb: str, subject: tuple[str, str, str], kind: Kind, version: str, *, suffix: str
    ) -> Operation:
        group, own, name = subject
        groups = (kind.group or "core").removesuffix(".k8s.io").split(".")
        title = "".join(map(_capital, [*groups, version]))
        operation: Operation = {
            "description": f"{_ACTIONS[verb]} {name}",
            "operationId": f"{_NAMED.get(verb, verb)}{title}{_collection(verb)}{suffix}",
            "tags": [f"{groups[0]}{''.join(map(_capital, groups[1:]))}_{version}"],
            "responses": self._responses(self._answer(verb, subject, kind), verb),
            "x-kubernetes-action": _ACTIONS[verb],
            "x-kubernetes-group-version-kind": {"group": group, "version": own, "kind": name},
        }
        parameters = [self._query_parameter(each) for each in _PARAMETERS.get(verb, ())]
        if verb in ("create", "update", "patch"):
            media: tuple[str, ...] = _PATCHES if verb == "patch" else _BODIES
            if kind.custom:
                media = tuple(each for each in media if each != _STRATEGIC)
            self._add_body(operation, parameters, media, self._find(*subject) if verb != "patch" else "")
        if parameters:
            operation["parameters"] = parameters
        return operation

    def _answer(self, verb: str, subject: tuple[str, str, str], kind: Kind) -> str:
        """The name of the schema of what comes back."""
        group, version, _ = subject
        if verb == "list":
            return self._find(group, version, kind.list_kind)
        if verb == "deletecollection" or (verb == "delete" and not kind.strategy.returns_deleted):
            return self._find(*_STATUS)
        return self._find(*subject)

    def _responses(self, schema: str, verb: str) -> dict[str, Any]:
        answer: dict[str, Any] = {"description": "OK"}
        if schema and self._swagger:
            answer["schema"] = self._reference(schema)
        elif schema:
            answer["content"] = {"application/json": {"schema": self._reference(schema)}}
        code = "201" if verb == "create" else "200"
        return {code: answer, "401": {"description": "Unauthorized"}}

    def _add_body(
        self, operation: Operation, parameters: list[Any], media: tuple[str, ...], schema: str
    ) -> None:
        reference = self._reference(schema) if schema else {"type": "object"}
        if self._swagger:
            parameters.append({"name": "body", "in": "body", "required": True, "schema": reference})
            operation["consumes"] = list(media)
        else:
            content = {each: {"schema": reference} for each in media}
            operation["requestBody"] = {"content": content, "required": True}

    def _reference(self, schema: str) -> dict[str, Any]:
        return {"$ref": f"#/definitions/{schema}" if self._swagger else f"#/components/schemas/{schema}"}

    def _query_parameter(self, name: str) -> dict[str, Any]:
        parameter: dict[str, Any] = {"name": name, "in": "query"}
        if name in _TEXTS:
            parameter["description"] = _TEXTS[name]
        schema = {"type": _TYPES.get(name, "string"), "uniqueItems": True}
        return parameter | (schema if self._swagger else {"schema": schema})

    def _path_parameters(self, path: str) -> list[dict[str, Any]]:
        names = [name for name in ("name", "namespace") if f"{{{name}}}" in path]
        schema: dict[str, Any] = {"type": "string", "uniqueItems": True}
        form = schema if self._swagger else {"schema": schema}
        return [{"name": name, "in": "path", "required": True, **form} for name in names]


def _capital(word: str) -> str:
    """Also of a name with dashes, which no operation's id may have."""
    return "".join(part[:1].upper() + part[1:] for part in word.split("-"))


def _collection(verb: str) -> str:
    return "Collection" if verb == "deletecollection" else ""
