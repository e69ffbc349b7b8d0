"""What this machine is: processors, memory, disk, identity, operating system. Changes nothing."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}


@dataclass(frozen=True, slots=True)
class Machine:
    """Sizes are in bytes."""

    hostname: str
    architecture: str
    cpus: int
    memory: int
    swap: int
    disk: int
    huge_pages: dict[str, int]
    kernel: str
    os_image: str
    machine_id: str
    system_uuid: str
    boot_id: str


def look_around(root: Path) -> Machine:
    """`root` lies on the file system that pods' logs and volumes are kept on."""
    memory = _meminfo()
    disk = os.statvfs(root)
    machine_id = _first_line("/etc/machine-id") or _first_line("/var/lib/dbus/machine-id")
    return Machine(
        hostname=platform.node(),
        architecture=_ARCHITECTURES.get(platform.machine(), platform.machine()),
        cpus=len(os.sched_getaffinity(0)),
        memory=memory.get("MemTotal", 0),
        swap=memory.get("SwapTotal", 0),
        disk=disk.f_frsize * disk.f_blocks,
        huge_pages=_huge_pages(),
        kernel=platform.release(),
        os_image=_os_image(),
        machine_id=machine_id,
        system_uuid=_first_line("/sys/class/dmi/id/product_uuid") or machine_id,
        boot_id=_first_line("/proc/sys/kernel/random/boot_id"),
    )


def _meminfo() -> dict[str, int]:
    lines = (line.split() for line in Path("/proc/meminfo").read_text().splitlines())
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in lines if len(words) == 3}


def page_size_names() -> list[str]:
    """The sizes of huge pages that the machine knows, as cgroups name them: `2MB`."""
    sizes = [_page_kibibytes(each) for each in _page_directories()]
    return [f"{size >> 20}GB" if size >= 1 << 20 else f"{size >> 10}MB" for size in sizes if size >= 1024]


def _page_directories() -> list[Path]:
    directory = Path("/sys/kernel/mm/hugepages")
    return sorted(directory.glob("hugepages-*kB")) if directory.is_dir() else []


def _page_kibibytes(directory: Path) -> int:
    return int(directory.name.removeprefix("hugepages-").removesuffix("kB"))


def _huge_pages() -> dict[str, int]:
    """Bytes of huge pages that are set aside, by the resource's name: `hugepages-2Mi`."""
    found: dict[str, int] = {}
    for each in _page_directories():
        size = _page_kibibytes(each)
        name = f"hugepages-{size >> 20}Gi" if size >= 1 << 20 else f"hugepages-{size >> 10}Mi"
        found[name] = int((each / "nr_hugepages").read_text()) * size * 1024
    return found


def _os_image() -> str:
    try:
        lines = Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return "Linux"
    values = dict(line.partition("=")[::2] for line in lines if "=" in line)
    return values.get("PRETTY_NAME", "Linux").strip('"')


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
