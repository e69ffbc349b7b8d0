"""Makes sure that a container's image is there: pull policy, pull secrets, back-off, and their events.

Loading images from files is `load`'s; which containers run is the pod workers'.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.clock import Clock
from kubeling.objects.meta import Object
from runtime.errors import RuntimeServiceError
from runtime.images.credentials import Credential, credentials_for
from runtime.images.name import InvalidName, with_default_tag
from runtime.images.pull_records import PullRecords
from runtime.images.transfer import ImageStore, Progress, Pulled, Transfers
from runtime.kubelet_configuration import KubeletConfiguration
from runtime.pods.backoff import Backoff

_KNOWN_ERRORS = {
    "RegistryUnavailable": "the registry is unavailable",
    "SignatureValidationFailed": "the signature validation failed",
}
"""What a runtime may begin its error with, which then is the reason."""


class ImageUnavailable(Exception):
    """An image cannot be used now: `reason` and the text as the container's status shows them.

    `retry_after` is in seconds; None means that trying again before something changes is useless.
    """

    def __init__(self, reason: str, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_after = retry_after


class ContainerEvents(Protocol):
    """Where the puller tells what happens."""

    def normal(self, reason: str, message: str, *, container: str = "") -> None: ...

    def warning(self, reason: str, message: str, *, container: str = "") -> None: ...


@dataclass(frozen=True, slots=True)
class PullRequest:
    """One container's need of an image. `key` tells pods apart in the back-off."""

    key: str
    container: str
    image: str
    policy: str
    events: ContainerEvents
    secrets: Sequence[Object] = ()

    def tell(self, reason: str, message: str, *, warning: bool = False) -> None:
        record = self.events.warning if warning else self.events.normal
        record(reason, message, container=self.container)


class ImagePuller:
    """Pulls several images at once, the same for the same pod never more often than the back-off allows."""

    def __init__(
        self,
        runtime: ImageStore,
        clock: Clock,
        kubelet: KubeletConfiguration | None = None,
        *,
        records: PullRecords | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Without `records` every image that is there may be used by every pod."""
        self._runtime = runtime
        self._clock = clock
        self._records = records
        self._backoff = Backoff()
        self._last_errors: dict[str, str] = {}
        self._transfers = Transfers(runtime, clock, kubelet or KubeletConfiguration(), progress)

    async def ensure(self, request: PullRequest) -> cri.Image:
        """The image, pulled if need be.

        Raises:
            ImageUnavailable: it is not there and cannot be pulled now.
        """
        image = _full_name(request)
        credentials = credentials_for(image, request.secrets)
        present = None if request.policy == "Always" else await self._inspect(request, image)
        if present is not None and not self._must_pull(image, present, credentials):
            request.tell(
                "Pulled", f"{_quoted(request)} already present on machine and can be accessed by the pod"
            )
            return present
        if request.policy == "Never":
            message = f"{_quoted(request)} is not present with pull policy of Never"
            request.tell("ErrImageNeverPull", message, warning=True)
            raise ImageUnavailable("ErrImageNeverPull", message, retry_after=self._backoff.initial)
        self._respect_backoff(request)
        return await self._pull(request, image, credentials)

    def _must_pull(self, image: str, present: cri.Image, credentials: Sequence[Credential]) -> bool:
        return self._records is not None and self._records.must_pull(image, present.id, credentials)

    def forget(self, key: str) -> None:
        """Drop what is remembered about a pod."""
        self._backoff.forget(f"{key}_")
        for each in [each for each in self._last_errors if each.startswith(f"{key}_")]:
            del self._last_errors[each]

    async def _inspect(self, request: PullRequest, image: str) -> cri.Image | None:
        try:
            return await self._runtime.image_status(image)
        except RuntimeServiceError as error:
            message = f'Failed to inspect image "{request.image}": {error}'
            request.tell("InspectFailed", message, warning=True)
            raise ImageUnavailable("ImageInspectError", message, retry_after=self._backoff.initial) from error

    def _respect_backoff(self, request: PullRequest) -> None:
        key = f"{request.key}_{request.image}"
        remaining = self._backoff.remaining_since_update(key, now=self._clock.monotonic())
        if remaining <= 0:
            return
        message = f'Back-off pulling image "{request.image}"'
        request.tell("BackOff", message)
        last = self._last_errors.get(key)
        full = f"{message}: {last}" if last else message
        raise ImageUnavailable("ImagePullBackOff", full, retry_after=remaining)

    async def _pull(self, request: PullRequest, image: str, credentials: Sequence[Credential]) -> cri.Image:
        key = f"{request.key}_{request.image}"
        self._last_errors.pop(key, None)
        request.tell("Pulling", f'Pulling image "{request.image}"')
        asked = self._clock.monotonic()
        try:
            pulled = await self._pull_as_someone(image, credentials)
        except _PullFailed as error:
            request.tell("Failed", f'Failed to pull image "{request.image}": {error}', warning=True)
            self._backoff.failed(key, at=self._clock.monotonic())
            reason, message = _explained(request.image, str(error))
            self._last_errors[key] = f"{reason}: {message}"
            raise ImageUnavailable(reason, message, retry_after=1.0) from error
        waited = self._clock.monotonic() - asked
        request.tell(
            "Pulled",
            f'Successfully pulled image "{request.image}" in {_seconds(pulled.seconds)} '
            f"({_seconds(max(waited, pulled.seconds))} including waiting). "
            f"Image size: {pulled.image.size} bytes.",
        )
        return pulled.image

    async def _pull_as_someone(self, image: str, credentials: Sequence[Credential]) -> Pulled:
        """Try the credentials one after the other; without any, anonymously.

        Raises:
            _PullFailed: none of them will do.
        """
        errors: list[str] = []
        if self._records is not None:
            self._records.begins(image)
        attempts: list[Credential | None] = [*credentials]
        for credential in attempts or [None]:
            try:
                pulled = await self._transfers.pull(image, credential.auth if credential else None)
            except RuntimeServiceError as error:
                errors.append(error.message if error.code == "Unknown" else str(error))
                continue
            if self._records is not None:
                self._records.succeeded(image, pulled.image.id, credential, now=self._clock.now())
            return pulled
        if self._records is not None:
            self._records.failed(image)
        raise _PullFailed(errors)


class _PullFailed(Exception):
    def __init__(self, errors: Sequence[str]) -> None:
        different = list(dict.fromkeys(errors))
        super().__init__(different[0] if len(different) == 1 else f"[{', '.join(different)}]")


def _explained(image: str, error: str) -> tuple[str, str]:
    """Reason and message for the container's status."""
    for reason, why in _KNOWN_ERRORS.items():
        if error.startswith(reason):
            return reason, f"image pull failed for {image} because {why}{error.removeprefix(reason)}"
    return "ErrImagePull", error


def _full_name(request: PullRequest) -> str:
    """Raises: ImageUnavailable: the image has no name."""
    try:
        return with_default_tag(request.image)
    except InvalidName as error:
        why = f'couldn\'t parse image name "{request.image}": {error}'
        message = f'Failed to apply default image tag "{request.image}": {why}'
        request.tell("InspectFailed", message, warning=True)
        raise ImageUnavailable("InvalidImageName", message, retry_after=60.0) from error


def _quoted(request: PullRequest) -> str:
    return f'Container image "{request.image}"'


def _seconds(duration: float) -> str:
    """As Go prints a duration cut to milliseconds: `12ms`, `1.25s`, `1m2.5s`."""
    milliseconds = round(duration * 1000)
    if milliseconds < 1000:
        return f"{milliseconds}ms" if milliseconds else "0s"
    minutes, rest = divmod(milliseconds, 60_000)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".")
    return f"{minutes}m{text}s" if minutes else f"{text}s"
