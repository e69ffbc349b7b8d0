"""Images on virtual nodes: every one is there, but for those that are to fail.

To fail are those of pods that say so (`image-pull-error`), and those that cannot exist: of a registry in
the domain `invalid` or called so, or with one of the tags `nonexistent` and `404`. Events and back-off are
the node agent's own.
"""

from collections.abc import Callable

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object
from runtime.errors import NotFound
from runtime.images.name import InvalidName, with_default_tag
from runtime.images.pull import ImagePuller, PullRequest
from runtime.virtual.records import image_id
from runtime.virtual.wishes import Wishes

_IMPOSSIBLE_TAGS = ("nonexistent", "404")


class VirtualPuller:
    """Implements `Puller`."""

    def __init__(self, clock: Clock, pod: Callable[[str], Object]) -> None:
        """`pod` gives the pod of a uid."""
        self._pod = pod
        self._nothing = _Nothing()
        self._failing = ImagePuller(self._nothing, clock)

    async def ensure(self, request: PullRequest) -> cri.Image:
        wishes = Wishes(self._pod(request.key), request.container)
        trouble = wishes.trouble("image-pull-error", _not_found(request.image))
        if not trouble and _is_impossible(request.image):
            trouble = _not_found(request.image)
        try:
            image = with_default_tag(request.image)
        except InvalidName:
            return await self._failing.ensure(request)
        if trouble:
            self._nothing.troubles[image] = trouble
            return await self._failing.ensure(request)
        there = f'Container image "{request.image}" already present on machine'
        request.tell("Pulled", f"{there} and can be accessed by the pod")
        return cri.Image(id=image_id(request.image))

    def forget(self, key: str) -> None:
        self._failing.forget(key)


class _Nothing:
    """Where the images that are to fail are sought: `troubles` says why each cannot be had."""

    def __init__(self) -> None:
        self.troubles: dict[str, str] = {}

    async def image_status(self, image: str) -> cri.Image | None:
        return None

    async def pull_image(self, image: str, *, auth: cri.AuthConfig | None = None) -> str:
        raise NotFound(self.troubles.get(image, _not_found(image)), code="NotFound")


def _is_impossible(image: str) -> bool:
    registry, slash, _ = image.partition("/")
    host = registry.partition(":")[0]
    if slash and (host.endswith(".invalid") or host.startswith("invalid.")):
        return True
    return image.rpartition("/")[2].partition(":")[2] in _IMPOSSIBLE_TAGS


def _not_found(image: str) -> str:
    why = f'failed to resolve reference "{image}": {image}: not found'
    return f'failed to pull and unpack image "{image}": {why}'
