"""Lines of CRI log files, and what is shown of them."""

import pytest

from runtime.node.logs.output import LogOptions, LogOutput
from runtime.node.logs.record import Record, fixed_width, is_partial, nanoseconds, parse

T1 = b"2026-11-21T00:18:38.660609913Z"
T2 = b"2026-11-21T00:18:39.5Z"


def test_a_full_line_ends_with_a_newline_and_a_partial_one_does_not() -> None:
    assert parse(T1 + b" stdout F hi") == Record(T1, b"stdout", b"hi\n")
    assert parse(T1 + b" stderr P hi") == Record(T1, b"stderr", b"hi")


def test_text_is_kept_byte_for_byte() -> None:
    text = b"  a b\t\xff\x00 "
    record = parse(T1 + b" stdout F " + text)
    assert record is not None
    assert record.text == text + b"\n"


def test_an_empty_line_is_a_newline() -> None:
    assert parse(T1 + b" stdout F ") == Record(T1, b"stdout", b"\n")


def test_the_first_tag_counts() -> None:
    assert is_partial(T1 + b" stdout P:x hi")
    assert not is_partial(T1 + b" stdout F:P hi")


@pytest.mark.parametrize("line", [b"", b"garbage", b"a b c", T1 + b" stdin F x", b"\x00" * 40])
def test_what_is_no_log_line_is_left_out(line: bytes) -> None:
    assert parse(line) is None


def test_times_are_shown_with_nine_digits() -> None:
    assert fixed_width(T1) == T1
    assert fixed_width(T2) == b"2026-11-21T00:18:39.500000000Z"
    assert fixed_width(b"2026-11-21T00:18:39+02:00") == b"2026-11-21T00:18:39.000000000+02:00"


def test_times_are_compared_as_instants() -> None:
    assert nanoseconds(b"1970-01-01T00:00:01.5Z") == 1_500_000_000
    assert nanoseconds(b"1970-01-01T02:00:00.000000001+02:00") == 1


def test_nonsense_is_no_time() -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message is the standard library's
        nanoseconds(b"yesterday")


def shown(options: LogOptions, *lines: bytes) -> bytes:
    return LogOutput(options).show(lines)


PIECES = (T1 + b" stdout P aaa", T1 + b" stdout P bbb", T2 + b" stdout F ccc", T2 + b" stdout F x")


def test_pieces_are_joined_exactly() -> None:
    assert shown(LogOptions(), *PIECES) == b"aaabbbccc\nx\n"


def test_a_timestamp_stands_once_before_a_line_in_pieces() -> None:
    assert shown(LogOptions(timestamps=True), *PIECES) == T1 + b" aaabbbccc\n" + fixed_width(T2) + b" x\n"


def test_since_keeps_what_is_at_that_time_or_later() -> None:
    lines = (T1 + b" stdout F old", T2 + b" stdout F new")
    assert shown(LogOptions(since=nanoseconds(T2)), *lines) == b"new\n"


def test_one_stream_can_be_chosen() -> None:
    lines = (T1 + b" stdout F o", T1 + b" stderr F e")
    assert shown(LogOptions(stream=b"stderr"), *lines) == b"e\n"


def test_the_limit_cuts_in_the_middle_of_a_line_and_counts_over_calls() -> None:
    output = LogOutput(LogOptions(limit=4))
    assert output.show([T1 + b" stdout F ab"]) == b"ab\n"
    assert not output.full
    assert output.show([T1 + b" stdout F cd"]) == b"c"
    assert output.full
