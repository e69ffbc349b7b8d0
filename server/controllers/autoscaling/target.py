"""What an autoscaler scales: any resource with a subresource `scale`, found by its kind."""

from kubeling.client import Client, ConnectionLost, Resource
from kubeling.objects import meta
from kubeling.objects.errors import ApiError
from kubeling.objects.meta import Object


class TargetError(Exception):
    """The target cannot be found, read or written; the message says why."""


class Kinds:
    """Which resource a kind is, by discovery: asked again when a kind is not known."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._known: dict[tuple[str, str], Resource] = {}

    async def find(self, api_version: str, kind: str) -> Resource:
        """In the version that the server prefers. Raises: TargetError."""
        group = api_version.rpartition("/")[0]
        if group.count("/"):
            raise TargetError(f"unexpected GroupVersion string: {api_version}")
        if (group, kind) not in self._known:
            try:
                served = await self._client.discover()
            except (ApiError, ConnectionLost) as error:
                raise TargetError(str(error)) from error
            self._known = {(each.group, each.kind): each for each in served if "/" not in each.plural}
        if (group, kind) not in self._known:
            raise TargetError(f'no matches for kind "{kind}" in group "{group}"')
        return self._known[group, kind]

    def forget(self) -> None:
        """What was known did not serve: kinds may have come, changed and gone."""
        self._known.clear()


class Targets:
    def __init__(self, client: Client, kinds: Kinds) -> None:
        self._client = client
        self._kinds = kinds

    async def scale_of(self, hpa: Object) -> tuple[Resource, Object]:
        """Raises: TargetError."""
        reference = hpa["spec"]["scaleTargetRef"]
        resource = await self._kinds.find(reference.get("apiVersion") or "", reference["kind"])
        try:
            scale = await self._client.get(
                resource, reference["name"], namespace=meta.namespace(hpa), subresource="scale"
            )
        except (ApiError, ConnectionLost) as error:
            self._kinds.forget()
            raise TargetError(str(error)) from error
        return resource, scale

    async def rescale(self, resource: Resource, scale: Object, replicas: int) -> None:
        """Raises: TargetError."""
        wanted = {**scale, "spec": {**scale.get("spec", {}), "replicas": replicas}}
        try:
            await self._client.update(resource, wanted, subresource="scale")
        except (ApiError, ConnectionLost) as error:
            raise TargetError(str(error)) from error
