"""Where the last lines of a log begin."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runtime.node.logs import tail
from runtime.node.logs.tail import tail_offset

LINES = st.lists(st.tuples(st.sampled_from(["P", "F"]), st.integers(min_value=0, max_value=40)), max_size=30)


def written(path: Path, lines: list[tuple[str, int]], *, unfinished: bytes = b"") -> list[bytes]:
    raw = [f"2026-11-21T00:00:00.{n:03}Z stdout {tag} ".encode() + b"x" * size + b"\n" for n, (tag, size) in
           enumerate(lines)]  # fmt: skip
    path.write_bytes(b"".join(raw) + unfinished)
    return raw


def from_tail(path: Path, lines: int) -> bytes:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return path.read_bytes()[tail_offset(descriptor, lines) :]
    finally:
        os.close(descriptor)


def test_the_last_lines(tmp_path: Path) -> None:
    raw = written(tmp_path / "log", [("F", 3), ("F", 4), ("F", 5)])
    assert from_tail(tmp_path / "log", 2) == raw[1] + raw[2]


def test_none_and_more_than_there_are(tmp_path: Path) -> None:
    raw = written(tmp_path / "log", [("F", 3), ("F", 4)])
    assert from_tail(tmp_path / "log", 0) == b""
    assert from_tail(tmp_path / "log", 10) == b"".join(raw)


def test_an_empty_file(tmp_path: Path) -> None:
    written(tmp_path / "log", [])
    assert from_tail(tmp_path / "log", 3) == b""


def test_pieces_of_one_line_count_as_one(tmp_path: Path) -> None:
    raw = written(tmp_path / "log", [("F", 1), ("P", 9), ("P", 9), ("F", 1), ("F", 2)])
    assert from_tail(tmp_path / "log", 2) == b"".join(raw[1:])


def test_a_line_that_is_not_finished_counts(tmp_path: Path) -> None:
    raw = written(tmp_path / "log", [("F", 1), ("F", 2), ("P", 3)])
    assert from_tail(tmp_path / "log", 1) == raw[2]
    assert from_tail(tmp_path / "log", 2) == raw[1] + raw[2]


def test_a_raw_line_that_is_being_written_counts(tmp_path: Path) -> None:
    raw = written(tmp_path / "log", [("F", 1), ("F", 2)], unfinished=b"2026-11-21T00:00:01Z std")
    assert from_tail(tmp_path / "log", 2) == raw[1] + b"2026-11-21T00:00:01Z std"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(lines=LINES, count=st.integers(1, 12), block=st.integers(1, 200))
def test_any_log_and_any_block_size(
    tmp_path: Path, lines: list[tuple[str, int]], count: int, block: int
) -> None:
    raw = written(tmp_path / "log", lines)
    logical: list[bytes] = [b""]
    for line, (kind, _) in zip(raw, lines, strict=True):
        logical[-1] += line
        if kind == "F":
            logical.append(b"")
    expected = b"".join([line for line in logical if line][-count:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tail, "_BLOCK", block)
        assert from_tail(tmp_path / "log", count) == expected
