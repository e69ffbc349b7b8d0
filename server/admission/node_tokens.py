"""Which service account tokens a node may ask for: those that a pod of its own mounts."""

from collections.abc import Callable, Iterator

from kubeling.objects.meta import Object


def token_problem(request: Object, node: str, find_pod: Callable[[str], Object]) -> str:
    """What is wrong with a TokenRequest of a node, "" when nothing is.

    Drivers' audiences are not known here: a token for a CSI driver is refused.
    """
    spec = request.get("spec") or {}
    bound = spec.get("boundObjectRef") or {}
    if (bound.get("apiVersion"), bound.get("kind")) != ("v1", "Pod") or not bound.get("name"):
        return "node requested token not bound to a pod"
    if not bound.get("uid"):
        return "node requested token with a pod binding without a uid"
    pod = find_pod(bound["name"])
    if pod["metadata"].get("uid") != bound["uid"]:
        return (
            f"the UID in the bound object reference ({bound['uid']}) does not match the UID in record."
            " The object might have been deleted and then recreated"
        )
    if (pod.get("spec") or {}).get("nodeName") != node:
        return "node requested token bound to a pod scheduled on a different node"
    audiences = spec.get("audiences") or [""]
    if len(audiences) > 1:
        return "node may only request 0 or 1 audiences"
    return (
        "" if audiences[0] in _audiences(pod) else f'audience "{audiences[0]}" not found in pod spec volume'
    )


def _audiences(pod: Object) -> Iterator[str]:
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        for source in (volume.get("projected") or {}).get("sources") or ():
            if source.get("serviceAccountToken") is not None:
                yield source["serviceAccountToken"].get("audience") or ""
