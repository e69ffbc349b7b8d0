"""What simple commands would do, durations in annotations, addresses, allowances of events."""

import pytest

from kubeling.objects.clock import FakeClock
from runtime.virtual.addresses import Addresses
from runtime.virtual.commands import FOREVER, Run, run_of
from runtime.virtual.events import Allowance
from runtime.virtual.wishes import duration


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], Run()),
        (["true"], Run(0)),
        (["/bin/false"], Run(0, 1)),
        (["echo", "a", "b"], Run(0, 0, "a b\n")),
        (["sleep", "1m"], Run(60)),
        (["sleep", "infinity"], Run(FOREVER)),
        (["nginx", "-g", "daemon off;"], Run()),
        (["sh", "-c", "exit 3"], Run(0, 3)),
        (["/bin/sh", "-c", "echo hi; sleep 2; exit 1"], Run(2, 1, "hi\n")),
        (["sh", "-ec", "false || exit 4"], Run(0, 4)),
        (["sh", "-c", "true && echo yes"], Run(0, 0, "yes\n")),
        (["sh", "-c", "echo begun\n./server"], Run(FOREVER, 0, "begun\n")),
        (["sh", "-c", "while true; do sleep 1; done"], Run(FOREVER)),
        (["sh", "-c", "sleep 1 | cat"], Run(FOREVER)),
        (["sh", "-c", "echo 'unclosed"], Run(FOREVER)),
        (["sh", "-c", '[ "$INDEX" -eq 2 ] && exit 7'], Run(0, 7)),
        (["sh", "-c", "test ${INDEX} != 2 && exit 7; exit 0"], Run(0, 0)),
        (["sh", "-c", "exec sleep 5"], Run(5)),
    ],
)
def test_commands(words: list[str], expected: Run) -> None:
    run = run_of(words, {"INDEX": "2"})
    assert (run.seconds, run.output) == (expected.seconds, expected.output)
    if run.seconds != FOREVER:
        assert run.exit_code == expected.exit_code


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5s", 5),
        ("1m30s", 90),
        ("500ms", 0.5),
        ("7", 7),
        ("2h", 7200),
        ("", None),
        ("soon", None),
        ("5x", None),
    ],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert duration(text) == seconds


def test_addresses_are_used_again_only_after_all_others() -> None:
    addresses = Addresses("10.0.0.0/29")
    taken = [addresses.take() for _ in range(5)]
    assert len(set(taken)) == 5
    assert "10.0.0.1" not in taken
    addresses.release(taken[0])
    assert addresses.take() == taken[0]


def test_an_address_that_a_pod_has_already_is_not_given_again() -> None:
    addresses = Addresses("10.0.0.0/24")
    addresses.claim("10.0.0.2")
    assert addresses.take() == "10.0.0.3"


async def test_an_allowance_grows_with_time() -> None:
    clock = FakeClock()
    allowance = Allowance(clock, burst=2, per_second=1)
    assert [allowance.take() for _ in range(3)] == [True, True, False]
    await clock.advance(1)
    assert [allowance.take() for _ in range(2)] == [True, False]
