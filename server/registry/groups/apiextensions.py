"""The kinds of apiextensions.k8s.io. What a definition says is in `server.registry.custom`, as is what keeps
its status and serves the kinds that it defines."""

from kubeling.objects import conditions
from kubeling.objects.errors import Cause
from kubeling.objects.meta import Object
from server.registry.custom.definition import FINALIZER, Definition
from server.registry.custom.formats import unchecked_formats
from server.registry.custom.validation import creation_causes, status_causes, update_causes
from server.registry.groups.subresources import status
from server.registry.kind import Kind
from server.registry.strategy import Scope, Strategy


class Definitions(Strategy):
    has_generation = True
    unconditional_update = False
    reset_by_status = ("metadata", "spec")

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
        """Upstream's takes the metadata, too; the conditions' observedGeneration is a feature that is off."""
        if not any("observedGeneration" in each for each in _conditions(old)):
            for each in _conditions(obj):
                each.pop("observedGeneration", None)

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
        return [_unrecognized(each) for each in unchecked_formats(obj)]

    def update_warnings(self, obj: Object, old: Object) -> list[str]:
        known = set(unchecked_formats(old))
        return [_unrecognized(each) for each in unchecked_formats(obj) if each not in known]

    def validate(self, obj: Object) -> list[Cause]:
        """Nothing: everything is looked at in the light of what is stored."""
        return []

    def validate_create(self, obj: Object) -> list[Cause]:
        return creation_causes(obj)

    def validate_update(self, obj: Object, old: Object) -> list[Cause]:
        return update_causes(obj, old)

    def validate_status_update(self, obj: Object, old: Object) -> list[Cause]:
        return status_causes(obj)


def _conditions(obj: Object) -> list[Object]:
    return obj["status"].get("conditions") or []


def _unrecognized(name: str) -> str:
    return f'unrecognized format "{name}"'


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
