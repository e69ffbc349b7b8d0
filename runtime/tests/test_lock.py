"""One agent to a node."""

from pathlib import Path

import pytest

from runtime import lock
from runtime.errors import NodeError


def test_a_second_agent_is_turned_away_until_the_first_has_ended(tmp_path: Path) -> None:
    with lock.held(tmp_path / "node"):
        with pytest.raises(NodeError, match="another agent runs the node"), lock.held(tmp_path / "node"):
            pass
        with lock.held(tmp_path / "other"):
            pass
    with lock.held(tmp_path / "node"):
        pass
