import pytest

from kubeling.objects import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("100ms", 0.1), ("10s", 10), ("5m0s", 300), ("1h30m", 5400), ("1.5s", 1.5), ("-2m0s", -120)],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    assert durations.parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "5 s", "1d", "ten"])
def test_what_is_no_duration_is_refused_in_go_s_words(text: str) -> None:
    with pytest.raises(ValueError, match=f'time: invalid duration "{text}"'):
        durations.parse(text)


@pytest.mark.parametrize("text", ["0s", "100ms", "10s", "40s", "1m20s", "1m1.5s", "5m0s", "4h0m0s", "-2m0s"])
def test_a_duration_is_written_as_go_writes_it(text: str) -> None:
    assert durations.text(durations.parse(text)) == text
