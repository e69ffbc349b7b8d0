"""What pod n of a StatefulSet is: its name, its labels, its place in the network, its volumes. Pure."""

import copy
import re
from functools import lru_cache

from kubeling.client.resources import STATEFUL_SETS
from kubeling.objects import meta
from kubeling.objects.meta import Object
from server.controllers.owned.ownership import owner_reference
from server.controllers.owned.pod_control import pod_from_template
from server.controllers.owned.revisions import POD_LABEL

NAME_LABEL = "statefulset.kubernetes.io/pod-name"
INDEX_LABEL = "apps.kubernetes.io/pod-index"
_NAME = re.compile(r"(.*)-([0-9]+)")
_LARGEST = 2**31


@lru_cache(maxsize=10_000)
def parent_and_ordinal(name: str) -> tuple[str, int]:
    """What a pod's name says of its set and its number; ("", -1) when it is no such name."""
    match = _NAME.fullmatch(name)
    if match is None or int(match[2]) >= _LARGEST:
        return "", -1
    return match[1], int(match[2])


def ordinal_of(pod: Object) -> int:
    return parent_and_ordinal(meta.name(pod))[1]


def is_member(set_: Object, pod: Object) -> bool:
    return parent_and_ordinal(meta.name(pod))[0] == meta.name(set_)


def pod_name(set_: Object, ordinal: int) -> str:
    return f"{meta.name(set_)}-{ordinal}"


def wanted_replicas(set_: Object) -> int:
    replicas = set_["spec"].get("replicas")
    return 1 if replicas is None else int(replicas)


def first_ordinal(set_: Object) -> int:
    return int((set_["spec"].get("ordinals") or {}).get("start") or 0)


def ordinals(set_: Object) -> range:
    first = first_ordinal(set_)
    return range(first, first + wanted_replicas(set_))


def claim_templates(set_: Object) -> list[Object]:
    return set_["spec"].get("volumeClaimTemplates") or []


def claim_name(set_: Object, template: Object, ordinal: int) -> str:
    return f"{meta.name(template)}-{meta.name(set_)}-{ordinal}"


def is_claim_of(set_: Object, claim: Object) -> bool:
    """By its name."""
    parent, ordinal = parent_and_ordinal(meta.name(claim))
    names = (f"{meta.name(each)}-{meta.name(set_)}" for each in claim_templates(set_))
    return ordinal >= 0 and parent in names


def new_pod(set_: Object, ordinal: int, *, revision: str) -> Object:
    """Pod n by the set's template, which is that of the revision."""
    pod = pod_from_template(set_["spec"]["template"], set_, owner_reference(set_, STATEFUL_SETS))
    pod["metadata"]["name"] = pod_name(set_, ordinal)
    pod["spec"]["hostname"] = pod_name(set_, ordinal)
    if service := set_["spec"].get("serviceName"):
        pod["spec"]["subdomain"] = service
    give_identity(set_, pod)
    give_storage(set_, pod)
    pod["metadata"]["labels"][POD_LABEL] = revision
    return pod


def identity_matches(set_: Object, pod: Object) -> bool:
    ordinal = ordinal_of(pod)
    name = meta.name(pod)
    return ordinal >= 0 and name == pod_name(set_, ordinal) and meta.labels(pod).get(NAME_LABEL) == name


def storage_matches(set_: Object, pod: Object) -> bool:
    """Whether each of the set's claims is one of the pod's volumes."""
    templates = claim_templates(set_)
    if not templates:
        return True
    volumes = {volume.get("name"): volume for volume in pod["spec"].get("volumes") or ()}
    return all(
        (volumes.get(meta.name(each), {}).get("persistentVolumeClaim") or {}).get("claimName")
        == claim_name(set_, each, ordinal_of(pod))
        for each in templates
    )


def give_identity(set_: Object, pod: Object) -> None:
    ordinal = ordinal_of(pod)
    labels = pod["metadata"].setdefault("labels", {})
    labels |= {NAME_LABEL: pod_name(set_, ordinal), INDEX_LABEL: str(ordinal)}


def give_storage(set_: Object, pod: Object) -> None:
    """The claims' volumes come first and take the place of the template's of the same name."""
    ordinal = ordinal_of(pod)
    claims = {meta.name(each): claim_name(set_, each, ordinal) for each in claim_templates(set_)}
    if claims:
        others = [each for each in pod["spec"].get("volumes") or () if each.get("name") not in claims]
        made = [{"name": name, "persistentVolumeClaim": {"claimName": of}} for name, of in claims.items()]
        pod["spec"]["volumes"] = made + others


def new_claim(set_: Object, template: Object, ordinal: int) -> Object:
    """The claim of pod n; it carries the labels that the set selects by."""
    metadata = {
        key: copy.deepcopy(value)
        for key, value in meta.metadata(template).items()
        if key in ("annotations", "labels", "finalizers")
    }
    selected = (set_["spec"].get("selector") or {}).get("matchLabels") or {}
    metadata["labels"] = {**(metadata.get("labels") or {}), **selected}
    metadata |= {"name": claim_name(set_, template, ordinal), "namespace": meta.namespace(set_)}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": copy.deepcopy(template["spec"]),
    }
