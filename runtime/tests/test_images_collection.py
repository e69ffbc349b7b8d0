"""Removing images that nobody uses: which, when, in what order, and what is told when that does not help."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cri_api.v1 import api_pb2 as cri

from kubeling.objects.clock import FakeClock
from kubeling.objects.tasks import Tasks
from runtime.errors import RuntimeFailed
from runtime.images.collection import CollectionFailed, CollectionPolicy, Disk, ImageCollection
from runtime.images.pause import PAUSE_IMAGE
from runtime.images.use import ImageUse

GI = 1 << 30
POLICY = CollectionPolicy(high=85, low=80, least_age=120.0, largest_age=0.0)


@dataclass
class Store:
    """A runtime's images on a disk of 100 GiB."""

    file: Path
    policy: CollectionPolicy = POLICY
    clock: FakeClock = field(default_factory=FakeClock)
    images: dict[str, cri.Image] = field(default_factory=dict)
    containers: list[cri.Container] = field(default_factory=list)
    wanted: set[str] = field(default_factory=set)
    other: int = 50 * GI
    broken: set[str] = field(default_factory=set)
    events: list[tuple[str, str]] = field(default_factory=list)
    removed: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.collection = self.agent()

    def agent(self) -> ImageCollection:
        return ImageCollection(
            self,
            self.clock,
            self.policy,
            use=ImageUse(self.file),
            wanted=lambda: self.wanted,
            events=self,
            removed=self.removed,
            disk=self._disk,
        )

    def add(self, name: str, size: int = 10 * GI, *, pinned: bool = False) -> None:
        self.images[name] = cri.Image(id=name, repo_tags=[f"{name}:1"], size=size, pinned=pinned)

    def use(self, name: str) -> None:
        self.containers.append(cri.Container(id=f"of-{name}", image_ref=name))

    def warning(self, reason: str, message: str) -> None:
        self.events.append((reason, message))

    async def list_images(self) -> Sequence[cri.Image]:
        return list(self.images.values())

    async def list_containers(self, filter_: cri.ContainerFilter | None = None) -> Sequence[cri.Container]:
        return self.containers

    async def remove_image(self, image: str) -> None:
        if image in self.broken:
            raise RuntimeFailed("no")
        del self.images[image]

    async def image_fs_info(self) -> Sequence[cri.FilesystemUsage]:
        return []

    async def _disk(self) -> Disk:
        return Disk(100 * GI, 100 * GI - self.other - sum(each.size for each in self.images.values()))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "use.json")


async def test_a_disk_with_room_keeps_its_images(store: Store) -> None:
    store.add("a", 34 * GI)
    await store.collection.collect()
    assert store.images


async def used_in_turn(store: Store, *names: str) -> None:
    store.other = 0
    for name in names:
        store.containers = []
        store.use(name)
        await store.collection.collect()
        await store.clock.advance(60)
    store.containers = []


async def test_a_full_disk_loses_the_images_that_were_not_used_for_longest(store: Store) -> None:
    for name in ("a", "b", "c", "d"):
        store.add(name)
    await used_in_turn(store, "b", "a", "d", "c")
    store.other = 55 * GI
    await store.collection.collect()
    assert set(store.images) == {"c", "d"}


async def test_what_is_used_wanted_or_pinned_stays(store: Store) -> None:
    for name in ("used", "wanted", "idle"):
        store.add(name)
    store.add("pinned", pinned=True)
    store.images["pause"] = cri.Image(id="pause", repo_tags=[PAUSE_IMAGE], size=1)
    store.use("used")
    store.wanted = {"wanted:1"}
    assert await store.collection.delete_unused() == 10 * GI
    assert set(store.images) == {"used", "wanted", "pinned", "pause"}


async def test_a_young_image_stays(store: Store) -> None:
    await store.collection.collect()
    store.add("young")
    assert await store.collection.delete_unused() == 0
    await store.clock.advance(119)
    assert await store.collection.delete_unused() == 0
    await store.clock.advance(1)
    assert await store.collection.delete_unused() == 10 * GI


async def test_the_first_look_takes_all_images_for_old(store: Store) -> None:
    store.add("there before")
    assert await store.collection.delete_unused() == 10 * GI


async def test_a_new_agent_knows_when_images_were_used(store: Store) -> None:
    for name in ("a", "b"):
        store.add(name)
    await used_in_turn(store, "b", "a")
    store.collection = store.agent()
    store.other = 70 * GI
    await store.collection.collect()
    assert set(store.images) == {"a"}


async def test_a_damaged_file_is_no_trouble(store: Store) -> None:
    store.file.write_text("[]")
    store.collection = store.agent()
    store.add("a")
    assert await store.collection.delete_unused() == 10 * GI


async def test_a_disk_that_stays_too_full_is_told(store: Store) -> None:
    store.other = 85 * GI
    store.add("a", GI)
    with pytest.raises(CollectionFailed):
        await store.collection.collect()
    message = (
        "Insufficient free disk space on the node's image filesystem (86% of 100.0 GiB used). "
        "Failed to free sufficient space by deleting unused images (freed 1073741824 bytes). "
        "Investigate disk usage, as it could be used by active images, logs, volumes, or other data."
    )
    assert store.events == [("FreeDiskSpaceFailed", message)]


async def test_an_image_that_cannot_be_removed_does_not_keep_the_others(store: Store) -> None:
    for name in ("a", "b"):
        store.add(name)
    store.broken = {"a"}
    with pytest.raises(CollectionFailed, match="with errors in image deletion"):
        await store.collection.delete_unused()
    assert set(store.images) == {"a"}


async def test_old_images_go_though_there_is_room_when_the_agent_has_run_for_so_long(store: Store) -> None:
    store.policy = CollectionPolicy(high=100, low=80, least_age=120.0, largest_age=3600.0)
    store.collection = store.agent()
    for name in ("old", "used"):
        store.add(name)
    store.use("used")
    await store.collection.collect()
    assert len(store.images) == 2
    await store.clock.advance(3601)
    await store.collection.collect()
    assert set(store.images) == {"used"}
    assert store.removed == {"age": 1}


async def test_a_hundred_percent_without_an_age_is_no_collection(store: Store) -> None:
    store.policy = CollectionPolicy(high=100, low=80, least_age=0.0, largest_age=0.0)
    store.collection = store.agent()
    store.other = 95 * GI
    store.add("a", 5 * GI)
    await store.collection.collect()
    assert store.images
    assert not store.events


async def test_what_fails_twice_in_a_row_is_an_event(store: Store) -> None:
    store.other = 90 * GI
    async with Tasks("test") as tasks:
        tasks.start(store.collection.run(), name="collection")
        await store.clock.advance(10)
        assert [reason for reason, _ in store.events] == ["FreeDiskSpaceFailed"]
        await store.clock.advance(300)
    assert [reason for reason, _ in store.events] == ["FreeDiskSpaceFailed"] * 2 + ["ImageGCFailed"]
