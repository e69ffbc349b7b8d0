"""The kinds of apiextensions.k8s.io. What a definition says is in `server.registry.custom`, as is what keeps
its status and serves the kinds that it defines."""

from kubeling.objects import conditions
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.custom.definition import FINALIZER, Definition
from server.registry.custom.strategy import finalizer_warnings
from server.registry.custom.validation import creation_causes, status_causes, update_causes
from server.registry.groups.subresources import status
from server.registry.kind import Kind
from server.registry.strategy import Scope, Strategy


class Definitions(Strategy):
    has_generation = True
    unconditional_update = False

    def default(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        names = spec.setdefault("names", {})
        kind = names.get("kind") or ""
        if not names.get("singular"):
            names["singular"] = kind.lower()
        if not names.get("listKind") and kind:
            names["listKind"] = f"{kind}List"
        spec.setdefault("conversion", {"strategy": "None"})
        client = (spec["conversion"].get("webhook") or {}).get("clientConfig") or {}
        if (service := client.get("service")) is not None:
            service.setdefault("port", 443)

    def prepare_for_create(self, scope: Scope, obj: Object) -> None:
        obj["status"] = {"conditions": None, "acceptedNames": {"plural": "", "kind": ""}}
        _record_stored_version(obj)

    def prepare_for_update(self, scope: Scope, obj: Object, old: Object) -> None:
        obj["status"] = dict(obj["status"])
        _record_stored_version(obj)

    def prepare_for_status_update(self, scope: Scope, obj: Object, old: Object) -> None:
        own, before = obj["metadata"], old["metadata"]
        for name in ("labels", "annotations", "finalizers", "ownerReferences"):
            own.pop(name, None)
            if name in before:
                own[name] = before[name]

    def prepare_for_delete(self, scope: Scope, obj: Object) -> None:
        """Instances go first: the definition waits for them with a finalizer."""
        finalizers = obj["metadata"].setdefault("finalizers", [])
        if FINALIZER not in finalizers:
            finalizers.append(FINALIZER)
        if obj["status"].get("conditions") is None:
            obj["status"].pop("conditions", None)
        message = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
        conditions.set_condition(
            obj, "Terminating", "True", reason="InstanceDeletionPending", message=message, now=scope.now
        )

    def warnings(self, obj: Object) -> list[str]:
        return finalizer_warnings(obj)

    def update_warnings(self, obj: Object, old: Object) -> list[str]:
        return finalizer_warnings(obj, old)

    def validate(self, obj: Object) -> list[Cause]:
        """Nothing: everything is looked at in the light of what is stored."""
        return []

    def validate_create(self, obj: Object) -> list[Cause]:
        return creation_causes(obj)

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return update_causes(obj, old)

    def validate_status_update(self, obj: Object, old: Object) -> list[Cause]:
        return status_causes(obj)


def _record_stored_version(obj: Object) -> None:
    """Remember each version that objects may have been stored in."""
    stored, version = obj["status"].get("storedVersions") or [], Definition(obj).storage_version
    if version and version not in stored:
        stored = [*stored, version]
    obj["status"]["storedVersions"] = stored


KINDS = (
    Kind(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        Definitions(),
        namespaced=False,
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        subresources=status("CustomResourceDefinition"),
    ),
)
