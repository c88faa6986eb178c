"""Units: OBX-6 and its like, with the code of UCUM where the sender did not name the system but left no doubt.

Only spellings that mean one thing in a hospital are read as UCUM: `K/uL` would be kelvin there, `pH` picohenry.

http://hl7.org/fhir/R4/datatypes.html#Quantity, https://ucum.org/ucum
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

from importers.hl7v2 import datatypes
from importers.hl7v2.conversion import Conversion
from importers.hl7v2.er7 import Segment
from resources.codec import Json

UCUM = "http://unitsofmeasure.org"

_PLAIN = frozenset(
    """
    % kg g mg ug ng pg L dL mL uL fL cm mm m2 km min h Cel [degF] mm[Hg] cm[H2O] kPa /min /uL /mL /L /[HPF] /[LPF]
    mol/L mmol/L umol/L nmol/L pmol/L mmol/mol mmol/kg mmol/d umol/d nmol/d mmol/g mol/kg g/L g/dL g/kg g/g g/d
    mg/dL mg/L mg/mL mg/g mg/kg mg/d mg/h mg/mmol ug/L ug/dL ug/mL ug/g ug/d ug/min ng/mL ng/L ng/dL pg/mL pg/dL
    U/L U/mL U/g kU/L mU/L mU/mL uU/mL [IU]/L [IU]/mL k[IU]/L m[IU]/L m[IU]/mL u[IU]/mL 10*3/uL 10*6/uL 10*9/L
    10*12/L 10*3/mL 10*6/mL [CFU]/mL meq/L meq/d mosm/kg mosm/L mL/min mL/min/{1.73_m2} mL/h mL/d mL/kg L/min L/d
    mm/h kg/m2 cm/s m/s {beats}/min ukat/L nkat/L /100{WBC} {copies}/mL [IU] U U/d {INR} {ratio}
    """.split()  # noqa: SIM905  a table
)
_MEANT: Mapping[str, str] = MappingProxyType(
    {
        "mmHg": "mm[Hg]",
        "mm Hg": "mm[Hg]",
        "cmH2O": "cm[H2O]",
        "bpm": "/min",
        "beats/min": "/min",
        "breaths/min": "/min",
        "/hpf": "/[HPF]",
        "/HPF": "/[HPF]",
        "/lpf": "/[LPF]",
        "/LPF": "/[LPF]",
        "mEq/L": "meq/L",
        "mm/hr": "mm/h",
        "mL/hr": "mL/h",
        "mOsm/kg": "mosm/kg",
        "IU/L": "[IU]/L",
        "IU/mL": "[IU]/mL",
        "mIU/L": "m[IU]/L",
        "mIU/mL": "m[IU]/mL",
        "uIU/mL": "u[IU]/mL",
        "kIU/L": "k[IU]/L",
        "MG/DL": "mg/dL",
        "G/DL": "g/dL",
        "MMOL/L": "mmol/L",
        "UMOL/L": "umol/L",
        "NG/ML": "ng/mL",
        "PG/ML": "pg/mL",
        "gm/dL": "g/dL",
        "gm/dl": "g/dL",
        "°C": "Cel",
        "°F": "[degF]",
        "CFU/mL": "[CFU]/mL",
        "cfu/mL": "[CFU]/mL",
    }
)
"""How senders write it → UCUM"""


@lru_cache(maxsize=4096)
def ucum(written: str) -> str | None:
    """UCUM's code of a unit whose coding system was not named; None where that would be a guess."""
    if (meant := _MEANT.get(written)) is not None:
        return meant
    if written in _PLAIN:
        return written
    tidy = (
        written.replace("µ", "u")
        .replace("μ", "u")
        .replace("mcg", "ug")
        .replace("/l", "/L")
        .replace("/dl", "/dL")
    )
    tidy = tidy.replace("/ml", "/mL").replace("/ul", "/uL")
    for power in ("x10^", "x10*", "x10E", "X10^", "X10*", "X10E", "10^", "10E", "10e"):
        if tidy.startswith(power):
            tidy = "10*" + tidy.removeprefix(power)
            break
    return tidy if tidy in _PLAIN else None


def unit_of(conversion: Conversion, obx: Segment, field: int = 6) -> Json:
    """`unit`, `system` and `code` of a Quantity; empty without units."""
    raw = obx.raw(field)
    if not raw:
        return {}
    known = conversion.units.get(raw)
    if known is None:
        known = conversion.units[raw] = _unit(conversion, obx, field, raw)
    return dict(known)


def _unit(conversion: Conversion, obx: Segment, field: int, raw: str) -> Json:
    delimiters = obx.delimiters
    if delimiters.component in raw or delimiters.repetition in raw or delimiters.subcomponent in raw:
        found = datatypes.unit(conversion, obx.value(field))
        if "code" in found or "unit" not in found:
            return found
    else:
        written = " ".join(obx.text(field).split())
        if not written:
            return {}
        found = {"unit": written}
    code = ucum(found["unit"])
    return found if code is None else {**found, "system": UCUM, "code": code}
