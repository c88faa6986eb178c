"""Messages of a hospital that does not exist: admissions and laboratory results, new patients and known ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

AUTHORITY = "MADEUP"
TESTS = (
    ("718-7", "Hemoglobin", "g/dL", 12, 17),
    ("789-8", "Erythrocytes", "10*6/uL", 4, 6),
    ("6690-2", "Leukocytes", "10*3/uL", 4, 11),
    ("777-3", "Platelets", "10*3/uL", 150, 400),
    ("4544-3", "Hematocrit", "%", 36, 50),
    ("787-2", "MCV", "fL", 80, 100),
    ("785-6", "MCH", "pg", 27, 33),
    ("786-4", "MCHC", "g/dL", 32, 36),
)
DOCTOR = "7^Kowalski^Anna^^^Dr"
FAMILIES = ("Abel", "Brandt", "Çelik", "Dvořák", "Eriksen", "Fischer", "García", "Horváth")
_START = datetime(2026, 1, 1, tzinfo=UTC)


def patient_of(number: int) -> int:
    """Who the n-th message is about: every fourth one is new, the others came before."""
    new = number // 4
    return new if number % 4 == 0 else number * 7919 % (new + 1)


def moment(number: int) -> str:
    return f"{_START + timedelta(seconds=number):%Y%m%d%H%M%S}"


def admission(number: int) -> bytes:
    return _lines(
        number,
        "ADT^A01^ADT_A01",
        _evn(number),
        _pid(number),
        _pv1(number),
        "DG1|1||J18.9^Pneumonia^I10||20260101|A",
    )


def results(number: int, observations: int = 5) -> bytes:
    """A report with a filler order number of its own and so many numeric observations."""
    when = moment(number)
    obx = []
    for position in range(observations):
        code, name, unit, low, high = TESTS[position % len(TESTS)]
        value = low + (number * 31 + position * 17) % (10 * (high - low)) / 10
        # A panel of forty repeats its tests; the sub-id tells them apart.
        sub_id = str(position // len(TESTS) + 1) if observations > len(TESTS) else ""
        obx.append(
            f"OBX|{position + 1}|NM|{code}^{name}^LN|{sub_id}|{value:.1f}|{unit}^{unit}^UCUM|{low}-{high}|N|||F|||{when}"
        )
    return _lines(
        number,
        "ORU^R01^ORU_R01",
        _pid(number),
        f"ORC|RE|P{number}^ORDERS|F{number}^LAB|||||||||{DOCTOR}",
        f"OBR|1|P{number}^ORDERS|F{number}^LAB|58410-2^CBC panel^LN|||{when}|||||||||{DOCTOR}||||||{when}||LAB|F",
        *obx,
    )


def message(number: int) -> bytes:
    """Four results to one admission."""
    return admission(number) if number % 5 == 0 else results(number)


def _lines(number: int, kind: str, *segments: str) -> bytes:
    header = f"MSH|^~\\&|LAB|HOSP|FHIR|CLINIC|{moment(number)}||{kind}|M{number}|P|2.5.1||||||UNICODE UTF-8"
    return "".join(line + "\r" for line in (header, *segments)).encode()


def _evn(number: int) -> str:
    return f"EVN||{moment(number)}"


def _pid(number: int) -> str:
    patient = patient_of(number)
    return (
        f"PID|1||MRN{patient}^^^{AUTHORITY}^MR||{FAMILIES[patient % 8]}^Test{patient}^Q||19{patient % 90 + 10}0215|"
        f"{'MF'[patient % 2]}|||{patient} Main St^^Springfield^IL^62701||(217)555-{patient % 10000:04}"
    )


def _pv1(number: int) -> str:
    fields = [""] * 45
    fields[0:4] = ["PV1", "1", "I", f"W{number % 9}^{number % 40}^1"]
    fields[7] = DOCTOR
    fields[19] = f"V{number}^^^{AUTHORITY}^VN"
    fields[44] = moment(number)
    return "|".join(fields)
