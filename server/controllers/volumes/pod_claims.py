"""Which claims a pod uses: those that it names, and those that come with it. For indexes of pods."""

from collections.abc import Iterable

from kubeling.objects import meta
from kubeling.objects.meta import Object


def by_claim(pod: Object) -> Iterable[str]:
    """The keys of the claims, `namespace/name`."""
    namespace = meta.namespace(pod)
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        if name := (volume.get("persistentVolumeClaim") or {}).get("claimName"):
            yield f"{namespace}/{name}"
        elif "ephemeral" in volume:
            yield f"{namespace}/{meta.name(pod)}-{volume.get('name')}"
