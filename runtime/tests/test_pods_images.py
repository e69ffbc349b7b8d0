"""Image references, pull secrets and pulls."""

import base64
import json
from typing import Any

import pytest

from kubeling.objects.clock import FakeClock
from runtime.errors import RuntimeFailed
from runtime.images.credentials import credentials_for
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


def a_secret(auths: dict[str, Any]) -> dict[str, Any]:
    document = base64.b64encode(json.dumps({"auths": auths}).encode()).decode()
    return {"data": {".dockerconfigjson": document}}


def test_the_closest_credentials_come_first() -> None:
    login = base64.b64encode(b"me:secret:x").decode()
    secret = a_secret(
        {
            "example.test": {"username": "wide", "password": "p"},
            "https://example.test/team": {"auth": login},
            "other.test": {"username": "no"},
        }
    )
    found = credentials_for("example.test/team/app:1", [secret])
    assert [(each.username, each.password) for each in found] == [("me", "secret:x"), ("wide", "p")]


def test_dockers_own_registry_has_an_old_name() -> None:
    secret = a_secret({"https://index.docker.io/v1/": {"username": "me", "password": "p"}})
    assert [each.username for each in credentials_for("busybox", [secret])] == ["me"]


@pytest.mark.parametrize("data", [{}, {".dockerconfigjson": "bm9uZQ=="}, {".dockercfg": "W10="}])
def test_a_damaged_secret_offers_nothing(data: dict[str, str]) -> None:
    assert credentials_for("busybox", [{"data": data}]) == []
