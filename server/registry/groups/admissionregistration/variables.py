"""What the expressions of webhooks and policies can name, and the types of objects that they can make."""

from server.cel.library import authorizer, json_patches
from server.cel.types import (
    BOOL,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    Decl,
    FieldDecl,
    Message,
    ObjectType,
    Type,
    list_of,
    map_of,
)

LIBRARIES = (authorizer.LIBRARY,)
PATCH_LIBRARIES = (*LIBRARIES, json_patches.LIBRARY)


def structure(name: str, /, **fields: Type) -> ObjectType:
    return ObjectType(name, (), {key: FieldDecl(key, Decl(each)) for key, each in fields.items()})


_KIND = structure("kubernetes.GroupVersionKind", group=STRING, version=STRING, kind=STRING)
_RESOURCE = structure("kubernetes.GroupVersionResource", group=STRING, version=STRING, resource=STRING)
_USER = structure(
    "kubernetes.UserInfo",
    username=STRING,
    uid=STRING,
    groups=list_of(STRING),
    extra=map_of(STRING, list_of(STRING)),
)
_REQUEST = structure(
    "kubernetes.AdmissionRequest",
    kind=_KIND,
    resource=_RESOURCE,
    subResource=STRING,
    requestKind=_KIND,
    requestResource=_RESOURCE,
    requestSubResource=STRING,
    name=STRING,
    namespace=STRING,
    operation=STRING,
    userInfo=_USER,
    dryRun=BOOL,
    options=DYN,
)
_METADATA = structure(
    "kubernetes.NamespaceMetadata",
    name=STRING,
    generateName=STRING,
    namespace=STRING,
    labels=map_of(STRING, STRING),
    annotations=map_of(STRING, STRING),
    UID=STRING,
    creationTimestamp=TIMESTAMP,
    deletionGracePeriodSeconds=INT,
    deletionTimestamp=TIMESTAMP,
    generation=INT,
    resourceVersion=STRING,
    finalizers=list_of(STRING),
)
_NAMESPACE = structure(
    "kubernetes.Namespace",
    metadata=_METADATA,
    spec=structure("kubernetes.NamespaceSpec", finalizers=list_of(STRING)),
    status=structure("kubernetes.NamespaceStatus", phase=STRING),
)
_AUTHORIZER = {
    "authorizer": Decl(Type(authorizer.AUTHORIZER)),
    "authorizer.requestResource": Decl(Type(authorizer.RESOURCE_CHECK)),
}
_PATCH = ObjectType(
    "JSONPatch",
    (),
    {
        name: FieldDecl(name, Decl(DYN if name == "value" else STRING))
        for name in ("op", "path", "from", "value")
    },
)


def declared(*, params: bool, authorizer: bool, object_type: Type = DYN) -> dict[str, Decl]:
    """The variables by name; `object_type` is the type of the object and of its earlier state."""
    found = {
        "object": Decl(object_type),
        "oldObject": Decl(object_type),
        "request": Decl(_REQUEST),
        "namespaceObject": Decl(_NAMESPACE),
    }
    if params:
        found["params"] = Decl(DYN)
    return found | _AUTHORIZER if authorizer else found


def patch_message(name: str) -> Message | None:
    """The types that mutations make: a JSONPatch's operation, and the object in any depth."""
    if name == "JSONPatch":
        return Message(_PATCH, {field: each.decl.type for field, each in _PATCH.fields.items()})
    if name == "Object" or name.startswith("Object."):
        return Message(ObjectType(name, (), {}, open=True))
    return None
