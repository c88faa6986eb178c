"""https://ucum.org/ucum"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
import ucumvert
from hypothesis import given
from hypothesis import strategies as st

from resources.number import EXACT
from resources.ucum import unit

EXAMPLES = Path(ucumvert.__file__).parent / "vendor" / "ucum_examples.tsv"


def in_base(value: str, code: str) -> tuple[Decimal, str]:
    found = unit(code)
    assert found is not None, code
    return found.to_base(Decimal(value), EXACT), found.base


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("540", "mg/dL"), ("5.4", "g/L")),
        (("5.4", "g/L"), ("5.4", "g/l")),
        (("1", "kPa"), ("1000", "Pa")),
        (("760", "mm[Hg]"), ("76", "cm[Hg]")),
        (("1", "mm[Hg]"), ("133.322", "Pa")),
        (("7.2", "10*9/L"), ("7.2", "10*3/uL")),
        (("7200", "{cells}/uL"), ("7200", "/uL")),
        (("1", "mmol/L"), ("1000", "umol/L")),
        (("60", "U/L"), ("1", "ukat/L")),
        (("50", "%"), ("0.5", "1")),
        (("50", "%"), ("0.5", "{ratio}")),
        (("12", "mo"), ("1", "a")),
        (("7", "d"), ("1", "wk")),
        (("60", "/min"), ("1", "Hz")),
        (("98.6", "[degF]"), ("37", "Cel")),
        (("0", "Cel"), ("273.15", "K")),
        (("1", "k[IU]/L"), ("1", "[iU]/mL")),
        (("1", "[lb_av]"), ("453.59237", "g")),
        (("120", "mL/min/{1.73_m2}"), ("2", "mL/s")),
        (("3", "g/(8.h){shift}"), ("9", "g/d")),
        (("10", "dB"), ("1", "B")),
        (("2", "m2.m-2"), ("2", "1")),
    ],
)
def test_the_same_amount_is_the_same_number_of_base_units(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    assert in_base(*one) == in_base(*other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[IU]/L", "/L"),
        ("[IU]", "[arb'U]"),
        ("[pH]", "1"),
        ("B", "1"),
        ("g", "m"),
        ("mg/dL", "mmol/L"),
        ("[CFU]/mL", "/mL"),
        ("m", "m2"),
    ],
)
def test_what_is_not_of_one_kind_is_not_compared(one: str, other: str) -> None:
    assert in_base("1", one)[1] != in_base("1", other)[1]


@pytest.mark.parametrize(
    "code",
    ["", "xx", "mg/", "m//s", ".m", "m.", "(m", "m)", "()", "m s", "µg", "mg/dl ", "m99", "0", "Torr", "mCel", "Cel/min",
     "(8.h)2", "k%", "9" * 40, "m" * 129, "{a", "m" + "9" * 40, "((((m", ".".join("m" * 30), "[m", "m\0"],
)  # fmt: skip
def test_what_is_no_unit_or_has_no_ratio_is_none(code: str) -> None:
    assert unit(code) is None


def test_every_official_example_is_read_as_the_library_reads_it() -> None:
    """Where the library follows UCUM's own definitions; its floats agree to nine digits."""
    registry = ucumvert.PintUcumRegistry()
    codes = {line.split("\t")[1] for line in EXAMPLES.read_text().splitlines()[1:]} - {"Torr"}
    compared = 0
    for code in sorted(codes):
        found = unit(code)
        assert found is not None, code
        if code in {"dB", "[pH]", "Cel", "[degF]"} or "LPF" in code or "[Hg]" in code or "H2O" in code:
            continue  # pint has its own ideas of these
        read = registry.from_ucum(code)
        if not hasattr(read, "to_base_units"):
            continue  # nothing but an annotation
        theirs = read.to_base_units()
        powers = dict(theirs.unit_items())
        if "ampere" in powers:
            continue
        scale = 1000 ** powers.get("kilogram", 0) * 6.02214076e23 ** powers.get("mole", 0)
        ours = float(found.numerator / found.denominator)
        assert ours == pytest.approx(theirs.magnitude * scale, rel=1e-9), code
        compared += 1
    assert compared > 700


@given(st.text("mgL/.()[]{}10*-kIU2", max_size=12))
def test_any_text_is_a_unit_or_none(code: str) -> None:
    found = unit(code)
    assert found is None or found.base
