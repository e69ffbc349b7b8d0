"""The folder of archives: what is imported, and when again."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from cri_api.v1 import api_pb2 as cri

from kubeling.objects.tasks import Tasks
from runtime.errors import ImageArchiveError
from runtime.images.folder import ImageFolder


@dataclass
class Loads:
    loaded: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    said: asyncio.Event = field(default_factory=asyncio.Event)

    async def load(self, archive: Path, *, scratch: Path | None = None) -> list[str]:
        self.loaded.append(archive.name)
        if archive.read_bytes() == b"bad":
            raise ImageArchiveError("not an image archive")
        self.known.add(f"{archive.name}:1")
        return [f"{archive.name}:1"]

    async def image_status(self, image: str) -> cri.Image | None:
        return cri.Image(id=image) if image in self.known else None


@dataclass
class Told:
    events: list[tuple[str, str]] = field(default_factory=list)
    happened: asyncio.Event = field(default_factory=asyncio.Event)

    def normal(self, reason: str, message: str) -> None:
        self.events.append((reason, message))
        self.happened.set()

    warning = normal


def folder_of(tmp_path: Path, loads: Loads, told: Told) -> ImageFolder:
    (tmp_path / "images").mkdir(exist_ok=True)
    return ImageFolder(tmp_path / "images", loads, told, memory=tmp_path / "memory.json", scratch=tmp_path)


async def test_archives_are_imported_once(tmp_path: Path) -> None:
    loads, told = Loads(), Told()
    folder = folder_of(tmp_path, loads, told)
    names = ["a.tar", "b.tar.gz", "c.tar.zst", "notes.txt", ".hidden.tar"]
    for name in names:
        (tmp_path / "images" / name).write_bytes(b"x")
    for again in (folder, folder_of(tmp_path, loads, told)):
        for name in names:
            await again.take(name)
    assert loads.loaded == ["a.tar", "b.tar.gz", "c.tar.zst"]
    assert told.events[0] == ("ImportedImages", "Imported from a.tar: a.tar:1")


async def test_what_changed_or_went_is_imported_again(tmp_path: Path) -> None:
    loads, told = Loads(), Told()
    folder, file = folder_of(tmp_path, loads, told), tmp_path / "images" / "a.tar"
    file.write_bytes(b"x")
    await folder.take("a.tar")
    file.write_bytes(b"xy")
    await folder.take("a.tar")
    loads.known.clear()
    await folder.take("a.tar")
    assert loads.loaded == ["a.tar"] * 3


async def test_a_bad_archive_is_told_of_and_the_others_are_imported(tmp_path: Path) -> None:
    loads, told = Loads(), Told()
    folder = folder_of(tmp_path, loads, told)
    for name, content in (("a.tar", b"bad"), ("b.tar", b"x")):
        (tmp_path / "images" / name).write_bytes(content)
        await folder.take(name)
    await folder.take("gone.tar")
    expected = "Failed to import images from a.tar: not an image archive"
    assert told.events[0] == ("FailedToImportImages", expected)
    assert told.events[1][0] == "ImportedImages"


async def test_what_comes_later_is_imported(tmp_path: Path) -> None:
    loads, told = Loads(), Told()
    folder = folder_of(tmp_path, loads, told)
    (tmp_path / "images" / "first.tar").write_bytes(b"x")
    async with Tasks("test") as tasks:
        tasks.start(folder.run(), name="folder")
        for name in ("first.tar", "second.tar", "third.tar"):
            await asyncio.wait_for(told.happened.wait(), 10)
            told.happened.clear()
            assert loads.loaded[-1] == name
            if name == "first.tar":
                (tmp_path / "images" / "second.tar").write_bytes(b"x")
            elif name == "second.tar":
                (tmp_path / "third.tar").write_bytes(b"x")
                (tmp_path / "third.tar").rename(tmp_path / "images" / "third.tar")
