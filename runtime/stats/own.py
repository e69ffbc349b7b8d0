"""What this process uses."""

import os
import resource
from datetime import datetime
from pathlib import Path

from runtime.stats.usage import Cpu, Memory

_NANO = 1_000_000_000


def own_use(now: datetime) -> tuple[Cpu, Memory]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    user, system = round(used.ru_utime * _NANO), round(used.ru_stime * _NANO)
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    cpu = Cpu(now, user + system, user=user, system=system)
    faults = {"page_faults": used.ru_minflt + used.ru_majflt, "major_page_faults": used.ru_majflt}
    return cpu, Memory(now, resident, resident, rss=resident, **faults)
