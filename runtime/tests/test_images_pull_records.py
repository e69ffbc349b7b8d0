"""Who may use an image that somebody's credentials brought."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cri_api.v1 import api_pb2 as cri

from kubeling.objects.clock import FakeClock
from runtime.images.credentials import Credential
from runtime.images.pull import ImagePuller, ImageUnavailable
from runtime.images.pull_records import PullRecords
from runtime.tests.fake_runtime import FakeRuntime
from runtime.tests.test_images_credentials import a_secret
from runtime.tests.test_pods_images import request, told

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PRELOADED = "NeverVerifyPreloadedImages"
MINE = Credential(cri.AuthConfig(username="me"), "team", "mine", "1")
MINE_RENEWED = Credential(cri.AuthConfig(username="me", password="new"), "team", "mine", "1")
SAME_LOGIN = Credential(cri.AuthConfig(username="me"), "other", "copy", "2")
OTHERS = Credential(cri.AuthConfig(username="you"), "other", "theirs", "3")


def records(directory: Path, policy: str = PRELOADED, *allowed: str) -> PullRecords:
    return PullRecords(directory, policy=policy, allowlist=allowed)


def test_what_was_there_before_is_for_all(tmp_path: Path) -> None:
    assert not records(tmp_path).must_pull("r.test/a:1", "id", [])


def test_what_was_pulled_without_credentials_is_for_all(tmp_path: Path) -> None:
    made = records(tmp_path)
    made.succeeded("r.test/a:1", "id", MINE, now=NOW)
    made.succeeded("r.test/a:1", "id", None, now=NOW)
    assert not made.must_pull("r.test/a:1", "id", [])
    assert not made.must_pull("r.test/a:1", "id", [OTHERS])


def test_others_must_show_that_they_may(tmp_path: Path) -> None:
    """The same login will do, and a new one in the same secret; also after a restart."""
    records(tmp_path).succeeded("r.test/a:1", "id", MINE, now=NOW)
    made = records(tmp_path)
    assert [made.must_pull("r.test/a:1", "id", [each]) for each in (MINE, MINE_RENEWED, SAME_LOGIN)] == [
        *(False, False, False)
    ]
    assert made.must_pull("r.test/a:1", "id", [OTHERS])
    assert made.must_pull("r.test/a:1", "id", [])
    assert made.must_pull("other.test/a:1", "id", [MINE])  # the same content from elsewhere
    made.succeeded("r.test/a:1", "id", OTHERS, now=NOW)
    assert not made.must_pull("r.test/a:1", "id", [OTHERS])
    assert not made.must_pull("r.test/a:1", "id", [MINE])


def test_a_pull_whose_end_nobody_saw_counts(tmp_path: Path) -> None:
    records(tmp_path).begins("r.test/a:1")
    made = records(tmp_path)
    assert made.must_pull("r.test/a:1", "id", [])
    made.failed("r.test/a:1")
    assert not made.must_pull("r.test/a:1", "id", [])


@pytest.mark.parametrize(
    ("policy", "pulled", "preloaded", "allowed"),
    [
        ("NeverVerify", False, False, False),
        (PRELOADED, True, False, False),
        ("NeverVerifyAllowlistedImages", True, True, False),
        ("AlwaysVerify", True, True, True),
    ],
)
def test_policies(tmp_path: Path, policy: str, pulled: bool, preloaded: bool, allowed: bool) -> None:
    made = records(tmp_path, policy, "r.test/free/*", "r.test/one")
    made.succeeded("r.test/a:1", "id", MINE, now=NOW)
    assert made.must_pull("r.test/a:1", "id", []) is pulled
    assert made.must_pull("r.test/b:1", "other", []) is preloaded
    assert made.must_pull("r.test/free/b:1", "other", []) is allowed
    assert made.must_pull("r.test/one@sha256:" + "0" * 64, "other", []) is allowed


def test_records_go_with_their_images(tmp_path: Path) -> None:
    made = records(tmp_path)
    made.succeeded("r.test/a:1", "id", MINE, now=NOW)
    made.prune(["id"], before=NOW + timedelta(seconds=1))
    made.prune([], before=NOW)
    assert made.must_pull("r.test/a:1", "id", [])
    made.prune([], before=NOW + timedelta(seconds=1))
    assert not made.must_pull("r.test/a:1", "id", [])


async def test_never_refuses_an_image_that_the_pod_may_not_use(tmp_path: Path) -> None:
    clock = FakeClock()
    runtime = FakeRuntime(clock, pullable={"r.test/a:1"})
    puller = ImagePuller(runtime, clock, records=records(tmp_path))
    await puller.ensure(request("r.test/a:1", secrets=[a_secret({"r.test": {"username": "me"}})]))
    wanted = request("r.test/a:1", "Never")
    with pytest.raises(ImageUnavailable) as caught:
        await puller.ensure(wanted)
    assert caught.value.reason == "ErrImageNeverPull"
    again = request("r.test/a:1")
    await puller.ensure(again)
    assert [reason for reason, _ in told(again)] == ["Pulling", "Pulled"]
