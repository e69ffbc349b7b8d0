"""What a node's kernel and runtime can do, as far as pods may ask for it. Changes nothing."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cri_api.v1 import api_pb2 as cri

_APPARMOR = Path("/sys/module/apparmor/parameters/enabled")
_PROCESSORS = Path("/sys/devices/system/cpu")


@dataclass(frozen=True, slots=True)
class HandlerFeatures:
    """Of one of the runtime's handlers, which RuntimeClasses name."""

    recursive_read_only: bool = False
    user_namespaces: bool = False


@dataclass(frozen=True, slots=True)
class RuntimeFeatures:
    """What the runtime says that it can."""

    handlers: tuple[tuple[str, HandlerFeatures], ...] = ()
    """By name, "" for the default one; empty where the runtime does not tell."""
    supplemental_groups_policy: bool | None = None
    """None where it does not tell."""

    def handler(self, name: str) -> HandlerFeatures | None:
        return next((features for known, features in self.handlers if known == name), None)


EVERYTHING = RuntimeFeatures((("", HandlerFeatures(True, True)),), supplemental_groups_policy=True)


@dataclass(frozen=True, slots=True)
class Abilities:
    """By default everything, as nodes need that run nothing."""

    kernel: tuple[int, ...] = (99,)
    apparmor: bool = True
    throttles: tuple[str, ...] = ()
    """What tells of the processors' temperature: hidden from containers."""
    runtime: Callable[[], RuntimeFeatures] = lambda: EVERYTHING


def of_machine(kernel: str, runtime: Callable[[], RuntimeFeatures]) -> Abilities:
    """`kernel` is its release, as `6.1.0-18-amd64`."""
    return Abilities(kernel_version(kernel), _has_apparmor(), _throttles(), runtime)


def runtime_features(response: cri.StatusResponse) -> RuntimeFeatures:
    handlers = tuple(
        (each.name, HandlerFeatures(each.features.recursive_read_only_mounts, each.features.user_namespaces))
        for each in response.runtime_handlers
    )
    told = response.HasField("features")
    return RuntimeFeatures(handlers, response.features.supplemental_groups_policy if told else None)


def kernel_version(release: str) -> tuple[int, ...]:
    """Major and minor; () where it does not say."""
    found = re.match(r"(\d+)\.(\d+)", release)
    return (int(found[1]), int(found[2])) if found else ()


def _has_apparmor(file: Path = _APPARMOR) -> bool:
    try:
        return file.read_text().strip() == "Y"
    except OSError:
        return False


def _throttles(directory: Path = _PROCESSORS) -> tuple[str, ...]:
    found = (directory / f"cpu{number}" / "thermal_throttle" for number in range(os.cpu_count() or 1))
    return tuple(str(each) for each in found if each.exists())
