"""The images that a container needs: its own, and those of the volumes that it mounts."""

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.meta import Object
from runtime.errors import RuntimeServiceError
from runtime.images.pull import PullRequest
from runtime.pods.references import SECRET, Reference
from runtime.pods.work import PodWork


async def container_image(work: PodWork, container: Object) -> cri.Image:
    """Raises: ImageUnavailable."""
    policy = container.get("imagePullPolicy") or "IfNotPresent"
    return await _pulled(work, container, container.get("image", ""), policy)


async def volume_images(work: PodWork, container: Object) -> list[tuple[Object, cri.Image]]:
    """The image volumes that the container mounts, each with its image. Raises: ImageUnavailable."""
    found = []
    for volume in work.volumes:
        source = volume.get("image")
        if source is not None and any(each["name"] == volume["name"] for each in _mounts(container)):
            policy = source.get("pullPolicy") or "IfNotPresent"
            found.append((volume, await _pulled(work, container, source.get("reference", ""), policy)))
    return found


async def mount_images(work: PodWork, container: Object, images: list[tuple[Object, cri.Image]]) -> None:
    """Raises: RuntimeServiceError: one cannot be mounted, or lacks what a subPath names."""
    for volume, image in images:
        work.volume_images[volume["name"]] = image
        place = await work.context.volumes.mount_image(work.paths, volume, image)
        for inner in _parts(container, volume["name"]):
            if place is not None and not (place / inner).exists():
                why = f'failed to mount image volume "{volume["name"]}"'
                raise RuntimeServiceError(f"{why}: {inner}: no such file or directory")


async def _pulled(work: PodWork, container: Object, image: str, policy: str) -> cri.Image:
    request = PullRequest(
        key=work.identity.uid,
        container=container["name"],
        image=image,
        policy=policy,
        events=work.events,
        secrets=await _pull_secrets(work),
    )
    return await work.context.puller.ensure(request)


async def _pull_secrets(work: PodWork) -> list[Object]:
    names = [each.get("name") for each in work.spec.get("imagePullSecrets") or []]
    references = [Reference(SECRET, work.identity.namespace, name) for name in names if name]
    found = await work.context.sources.get(references)
    missing = [each.name for each in references if each not in found]
    if missing:
        message = f"Unable to retrieve some image pull secrets ({', '.join(missing)})"
        message += "; attempting to pull the image may not succeed."
        work.events.warning("FailedToRetrieveImagePullSecret", message)
    return list(found.values())


def _parts(container: Object, volume_name: str) -> list[str]:
    """The subPaths at which the container mounts the volume."""
    mounts = [each for each in _mounts(container) if each["name"] == volume_name]
    return [each["subPath"] for each in mounts if each.get("subPath")]


def _mounts(container: Object) -> list[Object]:
    return container.get("volumeMounts") or []
