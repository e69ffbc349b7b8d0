from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeling.objects import quantity


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1024Mi", "1Gi"),
        ("1.5Gi", "1536Mi"),
        ("1024", "1024"),
        ("1000", "1k"),
        ("0", "0"),
        ("0.0001Ki", "102400u"),
        ("1e3", "1e3"),
        ("12E6", "12e6"),
        ("-1500m", "-1500m"),
        ("100Ki", "100Ki"),
        ("1E", "1E"),
        (2, "2"),
    ],
)
def test_the_canonical_form_is_upstreams(text: str, written: str) -> None:
    assert quantity.canonical(text) == written


@pytest.mark.parametrize("text", ["", "abc", "1 Gi", "1kib", "--1", "1.2.3", "0x10", "1e", "Ki"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(quantity.QuantityError, match="quantities must match"):
        quantity.parse(text)


def test_reading_rounds_up() -> None:
    assert quantity.milli("0.0001") == 1
    assert quantity.milli("2") == 2000
    assert quantity.value("1500m") == 2
    assert quantity.parse("1e-30") == Decimal("1e-9")


@given(st.integers(1, 10**15), st.sampled_from(["", "m", "k", "M", "Ki", "Mi", "n", "u", "e3"]))
def test_the_canonical_form_keeps_the_amount_and_is_stable(number: int, suffix: str) -> None:
    text = f"{number}{suffix}"
    written = quantity.canonical(text)
    assert quantity.parse(written) == quantity.parse(text)
    assert quantity.canonical(written) == written
