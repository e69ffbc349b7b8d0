"""How long the node may take to end: longer where its KubeletConfiguration gives pods time for it.

The file is not parsed here, since the supervisor lives long and is to stay small; the node agent does that.
"""

import re
from pathlib import Path

from kubeling.objects import durations

LEAST = 20.0
"""Seconds that containers, network and containerd get."""

_PERIOD = re.compile(r"""^["']?shutdownGracePeriod["']?\s*:\s*["']?([0-9a-z.]+)""", re.MULTILINE)
_BY_PRIORITY = re.compile(r"""["']?shutdownGracePeriodSeconds["']?\s*:\s*(\d+)""")


def node_patience(kubelet_config: Path) -> float:
    """Seconds after which a node that was told to end may be killed."""
    try:
        text = kubelet_config.read_text()
    except (OSError, UnicodeDecodeError):
        return LEAST
    periods = [*map(_seconds, _PERIOD.findall(text)), *map(float, _BY_PRIORITY.findall(text))]
    return LEAST + sum(periods)


def _seconds(text: str) -> float:
    try:
        return durations.parse(text)
    except ValueError:
        return 0.0
