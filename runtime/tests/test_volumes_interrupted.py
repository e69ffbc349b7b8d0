"""The agent dies at any of the file operations by which volumes are set up, updated, or taken down."""

import asyncio
import base64
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from kubeling.objects.clock import FakeClock
from runtime.pods.environment.downward import PodFacts
from runtime.pods.identity import PodIdentity
from runtime.pods.paths import PodPaths
from runtime.pods.references import CONFIG_MAP, SECRET, Reference
from runtime.volumes.mount import mounts_below, unmount
from runtime.volumes.payload import Contents
from runtime.volumes.volumes import Volumes

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")

CHANGES = ("os.mkdir", "os.rename", "os.symlink", "os.remove", "os.rmdir", "os.chmod", "os.chown")
DIED = 9
VOLUMES = [
    {"name": "settings", "configMap": {"name": "settings"}},
    {"name": "login", "secret": {"secretName": "login"}},
    {"name": "memory", "emptyDir": {"medium": "Memory"}},
    {"name": "disk", "emptyDir": {}},
]
POD = {
    "metadata": {"name": "p", "namespace": "n", "uid": "u"},
    "spec": {"volumes": VOLUMES, "securityContext": {"fsGroup": 1000}},
}


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[PodPaths]:
    made = PodPaths(tmp_path, PodIdentity("n", "p", "u"))
    made.volumes.mkdir(parents=True)
    yield made
    for target in mounts_below(tmp_path):
        unmount(target)


def contents(word: str) -> Contents:
    coded = base64.b64encode(word.encode()).decode()
    sources: dict[Reference, dict[str, Any]] = {
        Reference(CONFIG_MAP, "n", "settings"): {"data": {word: word, "both": word}},
        Reference(SECRET, "n", "login"): {"data": {"password": coded}},
    }
    return Contents(sources, PodFacts())


def dies(after: int, work: Callable[[], Coroutine[Any, Any, Any]]) -> bool:
    """Do it in a process that ends in the middle of its `after`th change; whether it came so far."""
    child = os.fork()
    if not child:
        left = after

        def count(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            left -= event in CHANGES or (event == "open" and bool(arguments[2] & os.O_ACCMODE))
            if left < 0:
                os._exit(DIED)

        sys.addaudithook(count)
        asyncio.run(work())
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == DIED


def shown(paths: PodPaths) -> dict[str, str]:
    """The files that containers see, by volume and name."""
    found: dict[str, str] = {}
    for plugin, volume in (("configmap", "settings"), ("secret", "login")):
        directory = paths.volume(plugin, volume)
        names = [each.name for each in directory.iterdir() if not each.name.startswith("..")]
        found |= {f"{volume}/{name}": (directory / name).read_text() for name in names}
    return found


def test_whatever_was_left_half_done_is_made_whole_or_taken_away(paths: PodPaths) -> None:
    volumes, step = Volumes(FakeClock()), 0
    while dies(step, lambda: volumes.set_up(POD, paths, contents("old"))):
        asyncio.run(volumes.set_up(POD, paths, contents("old")))
        assert shown(paths) == {"settings/old": "old", "settings/both": "old", "login/password": "old"}
        dies(step, lambda: volumes.set_up(POD, paths, contents("new")))
        both = paths.volume("configmap", "settings") / "both"
        assert both.read_text() in ("old", "new"), "never half of one"
        asyncio.run(volumes.set_up(POD, paths, contents("new")))
        assert shown(paths) == {"settings/new": "new", "settings/both": "new", "login/password": "new"}
        assert len(list(paths.volume("configmap", "settings").glob("..2*"))) == 1, "versions pile up"
        dies(step, lambda: volumes.tear_down(paths))
        asyncio.run(volumes.tear_down(paths))
        assert not mounts_below(paths.root)
        assert not paths.volumes.exists()
        paths.volumes.mkdir(parents=True)
        step += 1
    asyncio.run(volumes.tear_down(paths))
    assert step > 20
