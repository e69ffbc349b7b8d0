"""When each image was first seen and last used: kept in a file, so that a new agent knows it as well."""

import json
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Use:
    """Seconds since the epoch; 0 when it was before anybody looked."""

    detected: float = 0.0
    used: float = 0.0


class ImageUse:
    """By the image's id."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._began = False
        self._known = self._read()

    def note(self, images: Iterable[str], in_use: Iterable[str], now: float) -> None:
        """These are the images that are here, and these are used now."""
        detected = now if self._began else 0.0
        self._began = True
        self._known = {each: self._known.get(each) or Use(detected) for each in images}
        for each in in_use:
            if each in self._known:
                self._known[each].used = now
        self._write()

    def __getitem__(self, image: str) -> Use:
        return self._known.get(image) or Use()

    def _read(self) -> dict[str, Use]:
        try:
            document = json.loads(self._file.read_bytes())
            return {str(key): Use(float(each[0]), float(each[1])) for key, each in document.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, AttributeError, IndexError) as error:
            logger.warning("cannot read when images were used from %s: %s", self._file, error)
            return {}

    def _write(self) -> None:
        """A full disk is when this is needed most: then what is in memory has to do."""
        text = json.dumps({key: [each.detected, each.used] for key, each in self._known.items()})
        fresh = self._file.with_name(self._file.name + ".new")
        try:
            fresh.write_text(text)
            os.replace(fresh, self._file)
        except OSError as error:
            logger.warning("cannot note when images were used in %s: %s", self._file, error)
