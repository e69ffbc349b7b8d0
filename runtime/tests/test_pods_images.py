"""Image references, pull secrets and pulls."""

from typing import Any

import pytest

from kubeling.objects.clock import FakeClock
from runtime.errors import RuntimeFailed
from runtime.images.name import InvalidName, with_default_tag
from runtime.images.pull import ImagePuller, ImageUnavailable, PullRequest
from runtime.tests.fake_runtime import FakeRuntime


class Told:
    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def normal(self, reason: str, message: str, *, container: str = "") -> None:
        self.events.append((reason, message))

    warning = normal


def request(image: str, policy: str = "IfNotPresent", secrets: Any = ()) -> PullRequest:
    return PullRequest("uid", "c", image, policy, Told(), secrets)


def told(of: PullRequest) -> list[tuple[str, str]]:
    assert isinstance(of.events, Told)
    return of.events.events


@pytest.mark.parametrize(
    ("image", "full"),
    [
        ("busybox", "busybox:latest"),
        ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
        ("example.test/a:1", "example.test/a:1"),
        ("UPPER/case", "UPPER/case:latest"),
        (f"a@sha256:{'0' * 64}", f"a@sha256:{'0' * 64}"),
    ],
)
def test_a_reference_without_tag_means_latest(image: str, full: str) -> None:
    assert with_default_tag(image) == full


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("a b", "invalid reference format"),
        ("a:", "invalid reference format"),
        ("", "invalid reference format"),
        ("-x/y", "invalid reference format"),
        ("Alpine:3", "invalid reference format: repository name (library/Alpine) must be lowercase"),
        ("gcr.io/UP/x", "invalid reference format: repository name (UP/x) must be lowercase"),
        ("0" * 64, f"invalid repository name ({'0' * 64}), cannot specify 64-byte hexadecimal strings"),
    ],
)
def test_what_is_no_name_is_refused(image: str, why: str) -> None:
    with pytest.raises(InvalidName) as caught:
        with_default_tag(image)
    assert str(caught.value) == why


async def test_an_image_without_a_name_is_told_of() -> None:
    clock, wanted = FakeClock(), request("UPPER:1")
    with pytest.raises(ImageUnavailable) as caught:
        await ImagePuller(FakeRuntime(clock), clock).ensure(wanted)
    assert caught.value.reason == "InvalidImageName"
    assert told(wanted)[0][0] == "InspectFailed"


async def test_always_pulls_though_the_image_is_there() -> None:
    clock = FakeClock()
    runtime = FakeRuntime(clock, pullable={"app:1"})
    runtime.has_image("app:1")
    wanted = request("app:1", "Always")
    await ImagePuller(runtime, clock).ensure(wanted)
    assert [reason for reason, _ in told(wanted)] == ["Pulling", "Pulled"]
    expected = 'Successfully pulled image "app:1" in 0s (0s including waiting). Image size: 7 bytes.'
    assert told(wanted)[1][1] == expected


async def test_a_runtime_that_cannot_say_is_an_inspect_error() -> None:
    clock = FakeClock()
    runtime = FakeRuntime(clock)
    runtime.fail("image_status", RuntimeFailed("broken"))
    with pytest.raises(ImageUnavailable) as caught:
        await ImagePuller(runtime, clock).ensure(request("app:1"))
    assert caught.value.reason == "ImageInspectError"


@pytest.mark.parametrize(
    ("said", "reason", "message"),
    [
        ("RegistryUnavailable: no", "RegistryUnavailable", "because the registry is unavailable: no"),
        ("SignatureValidationFailed", "SignatureValidationFailed", "because the signature validation failed"),
        ("not that way", "ErrImagePull", "not that way"),
    ],
)
async def test_what_the_runtime_says_is_the_reason(said: str, reason: str, message: str) -> None:
    clock = FakeClock()
    runtime = FakeRuntime(clock)
    runtime.fail("pull_image", RuntimeFailed(said))
    wanted = request("app:1")
    with pytest.raises(ImageUnavailable) as caught:
        await ImagePuller(runtime, clock).ensure(wanted)
    assert caught.value.reason == reason
    assert caught.value.message.endswith(message)
    assert told(wanted)[-1] == ("Failed", f'Failed to pull image "app:1": {said}')


async def test_backing_off_says_what_went_wrong() -> None:
    clock = FakeClock()
    puller = ImagePuller(FakeRuntime(clock), clock)
    wanted = request("app:1")
    reasons = []
    for _ in range(2):
        with pytest.raises(ImageUnavailable) as caught:
            await puller.ensure(wanted)
        reasons.append(caught.value.reason)
    assert reasons == ["ErrImagePull", "ImagePullBackOff"]
    error = "ErrImagePull: rpc error: code = NotFound desc = app:1: not found"
    assert caught.value.message == f'Back-off pulling image "app:1": {error}'
    assert told(wanted)[-1] == ("BackOff", 'Back-off pulling image "app:1"')
