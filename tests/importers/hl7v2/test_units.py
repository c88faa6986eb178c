"""`importers.hl7v2.units`: UCUM where it is beyond doubt."""

from __future__ import annotations

import pytest

from importers.hl7v2.units import _MEANT, _PLAIN, UCUM, ucum, unit_of
from resources.codec import Json
from resources.ucum import unit
from tests.importers.hl7v2.making import conversion


def _unit(field: str) -> Json:
    made = conversion(f"OBX|1|NM|A||1|{field}")
    return unit_of(made, made.message.segments[1])


@pytest.mark.parametrize("code", sorted(_PLAIN | set(_MEANT.values())))
def test_each_code_is_one_of_ucum(code: str) -> None:
    assert unit(code) is not None


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("mmol/L", "mmol/L"),
        ("mmHg", "mm[Hg]"),
        ("µmol/l", "umol/L"),
        ("x10^9/L", "10*9/L"),
        ("10E3/uL", "10*3/uL"),
        ("MG/DL", "mg/dL"),
        ("mcg/mL", "ug/mL"),
        ("K/uL", None),
        ("pH", None),
        ("C", None),
        ("furlong", None),
        ("", None),
    ],
)
def test_spellings(written: str, code: str | None) -> None:
    assert ucum(written) == code


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("", {}),
        ('""', {}),
        ("mmHg", {"unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}),
        ("K/uL", {"unit": "K/uL"}),
        ("g/mL^grams per milliliter^UCUM", {"unit": "grams per milliliter", "system": UCUM, "code": "g/mL"}),
        ("MOC^^L", {"unit": "MOC", "system": "urn:hl7v2:code:HOSP:L", "code": "MOC"}),
        ("mmol/L^^", {"unit": "mmol/L", "system": UCUM, "code": "mmol/L"}),
    ],
)
def test_units_of_a_field(field: str, expected: Json) -> None:
    assert _unit(field) == expected
