"""How long the supervisor waits for the node's end."""

from pathlib import Path

import pytest

from kubeling.cluster.node_patience import LEAST, node_patience


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("shutdownGracePeriod: 1m30s\n", 90),
        ("# shutdownGracePeriod: 1h\nshutdownGracePeriod: '30s'\nshutdownGracePeriodCriticalPods: 10s\n", 30),
        (
            "shutdownGracePeriodByPodPriority:\n"
            "- {priority: 0, shutdownGracePeriodSeconds: 5}\n- shutdownGracePeriodSeconds: 7\n",
            12,
        ),
        ("shutdownGracePeriod: nonsense\n", 0),
        ("maxPods: 5\n", 0),
    ],
    ids=["one", "quoted", "by-priority", "nonsense", "none"],
)
def test_the_pods_time_is_added(tmp_path: Path, text: str, more: float) -> None:
    file = tmp_path / "kubelet.yaml"
    file.write_text(text)
    assert node_patience(file) == LEAST + more


def test_without_a_file_it_is_the_least(tmp_path: Path) -> None:
    assert node_patience(tmp_path / "kubelet.yaml") == LEAST
