from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from importers.hl7v2 import contact
from importers.hl7v2.er7 import Value
from resources.codec import Json
from tests.importers.hl7v2.making import conversion, faults, field

EXTENSION = "http://hl7.org/fhir/StructureDefinition/"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Doe^John", {"family": "Doe", "given": ["John"]}),
        (
            "Doe^John^Q^Jr^Dr^MD^L^^^^^20200101^20211231^Esq",
            {
                "family": "Doe",
                "given": ["John", "Q"],
                "prefix": ["Dr"],
                "suffix": ["Jr", "MD", "Esq"],
                "use": "official",
                "period": {"start": "2020-01-01", "end": "2021-12-31"},
            },
        ),
        (
            "van Dam de Vries&van&Dam&de&Vries^Ana",
            {
                "family": "van Dam de Vries",
                "_family": {
                    "extension": [
                        {"url": EXTENSION + "humanname-own-prefix", "valueString": "van"},
                        {"url": EXTENSION + "humanname-own-name", "valueString": "Dam"},
                        {"url": EXTENSION + "humanname-partner-prefix", "valueString": "de"},
                        {"url": EXTENSION + "humanname-partner-name", "valueString": "Vries"},
                    ]
                },
                "given": ["Ana"],
            },
        ),
        (
            "Doe^^^^^^M^^^2020&2021",
            {"family": "Doe", "use": "maiden", "period": {"start": "2020", "end": "2021"}},
        ),
        ("O\\T\\Neil^D'Arcy", {"family": "O&Neil", "given": ["D'Arcy"]}),
        ("^^^^^^L", None),
        ('""', None),
        ("", None),
    ],
)
def test_a_name(text: str, expected: Json | None) -> None:
    found = contact.human_name(conversion(), field(text))
    assert found == expected
    assert found is None or faults({"resourceType": "Patient", "name": [found]}) == []


def test_the_name_inside_of_a_practitioner() -> None:
    text = "123^Doctor^Emory^E^Sr^Dr^MD^^AUTH^L^^^NPI^^^^^^2000^2010^Prof"
    assert contact.practitioner_name(conversion(), field(text)) == {
        "family": "Doctor",
        "given": ["Emory", "E"],
        "prefix": ["Dr"],
        "suffix": ["Sr", "MD", "Prof"],
        "use": "official",
        "period": {"start": "2000", "end": "2010"},
    }


def test_what_a_person_is_called_is_a_name_of_its_own() -> None:
    made = conversion("PID|1||||Doe^Robert^^^^^L^^^^^^^^Bob~Doe^Bobby^^^^^N~^^^^^^^^^^^^^^Rob")
    assert contact.human_names(made, made.message.segments[1], 5) == [
        {"family": "Doe", "given": ["Robert"], "use": "official"},
        {"use": "nickname", "given": ["Bob"]},
        {"family": "Doe", "given": ["Bobby"], "use": "nickname"},
        {"use": "nickname", "given": ["Rob"]},
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "1 Main St&Main St&1^Apt 2^Town^MI^48104^USA^H^^County^0012.01^^^20200101^20201231",
            {
                "line": ["1 Main St", "Main St", "1", "Apt 2"],
                "city": "Town",
                "district": "County",
                "state": "MI",
                "postalCode": "48104",
                "country": "USA",
                "use": "home",
                "period": {"start": "2020-01-01", "end": "2020-12-31"},
                "extension": [{"url": EXTENSION + "iso21090-ADXP-censusTract", "valueString": "0012.01"}],
            },
        ),
        ("^^Town^^^^M", {"city": "Town", "type": "postal"}),
        ("^^Town^^^^SH", {"city": "Town", "type": "postal"}),
        ("^^Town^^^^BA", {"city": "Town", "use": "old"}),
        ("^^Town^^^^^^^^^2020&2021", {"city": "Town", "period": {"start": "2020", "end": "2021"}}),
        ("^^^^8200", {"postalCode": "8200"}),
        ("^^^^^^H", None),
        ("", None),
    ],
)
def test_an_address(text: str, expected: Json | None) -> None:
    found = contact.address(conversion(), field(text))
    assert found == expected
    assert found is None or faults({"resourceType": "Patient", "address": [found]}) == []


def test_a_kind_of_address_that_fhir_lacks_stays() -> None:
    found = contact.address(conversion(), field("^^Town^^^^V"))
    assert found is not None
    assert "use" not in found
    assert found["_use"]["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "V"


@pytest.mark.parametrize(
    ("text", "use", "expected"),
    [
        ("(555)012-0345", "home", {"system": "phone", "value": "(555)012-0345", "use": "home"}),
        ("0000001", "", {"system": "phone", "value": "0000001"}),
        ("555^PRN^PH", "work", {"system": "phone", "value": "555", "use": "home"}),
        ("555^WPN^FX", "", {"system": "fax", "value": "555", "use": "work"}),
        ("555^^CP", "home", {"system": "phone", "value": "555", "use": "mobile"}),
        ("555^PRN^CP", "home", {"system": "phone", "value": "555", "use": "mobile"}),
        ("^NET^Internet^a@b.example", "home", {"system": "email", "value": "a@b.example", "use": "home"}),
        ("^NET^^a@b.example", "", {"system": "email", "value": "a@b.example"}),
        ("^^^a@b.example", "", {"system": "email", "value": "a@b.example"}),
        ("a@b.example^NET", "", {"system": "email", "value": "a@b.example"}),
        ("a@b.example", "", {"system": "email", "value": "a@b.example"}),
        ("a@b.example^NET^Internet", "", {"system": "email", "value": "a@b.example"}),
        ("^^PH^^^^^^^^^+45 0012", "", {"system": "phone", "value": "+45 0012"}),
        ("555^^PH^^^^^^^^^^2020^2021^^^^2", "",
         {"system": "phone", "value": "555", "rank": 2, "period": {"start": "2020", "end": "2021"}}),
        ("^^CP^+4520202020", "home", {"system": "phone", "value": "+4520202020", "use": "mobile"}),
        ("^PRN^PH^+45 86", "", {"system": "phone", "value": "+45 86", "use": "home"}),
        ("^^FX^+4587", "", {"system": "fax", "value": "+4587"}),
        ("^^^+4588", "home", {"system": "phone", "value": "+4588", "use": "home"}),
        ("^PRN^PH^a@b.example", "", {"system": "email", "value": "a@b.example", "use": "home"}),
        ("^PRN^PH^^^^^^^(056)7727891", "", {"system": "phone", "value": "(056)7727891", "use": "home"}),
        ("^PRN^PH^^^^^^^12", "", None),
        ("^PRN^PH", "", None),
        ("^PRN^PH^^1^734", "", None),
        ("", "home", None),
        ('""', "home", None),
    ],
)  # fmt: skip
def test_a_number_to_call(text: str, use: str, expected: Json | None) -> None:
    made = conversion()
    found = contact.contact_point(made, field(text), use)
    assert found == expected
    assert made.issues == []
    assert found is None or faults({"resourceType": "Patient", "telecom": [found]}) == []


def test_a_number_of_parts_keeps_its_zeros() -> None:
    found = contact.contact_point(conversion(), field("^PRN^PH^^001^012^0000001^07"))
    assert found is not None
    assert found["value"] == "+001 012 0000001 X07"
    assert {each["url"].rpartition("-")[2]: each["valueString"] for each in found["extension"]} == {
        "country": "001",
        "area": "012",
        "local": "0000001",
        "extension": "07",
    }


def test_mail_beside_a_number_is_another_way_to_reach_somebody() -> None:
    made = conversion()
    phone = {"system": "phone", "value": "555", "use": "home"}
    mail = {"system": "email", "value": "a@b.example"}
    assert contact.contact_points(made, field("555^PRN^PH^a@b.example")) == [phone, mail]
    assert contact.contact_points(made, field("^NET^^a@b.example")) == [mail]
    assert contact.contact_points(made, field("555^PRN^PH")) == [phone]
    assert contact.contact_points(made, field("^PRN^PH")) == []
    assert made.issues == []
    assert contact.contact_points(made, field("555^PRN^PH^777")) == [phone]
    assert [issue.place for issue in made.issues] == ["ZXX-1"]


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), st.integers(1, 20))
def test_whatever_is_sent_is_valid(text: str, shift: int) -> None:
    made = conversion(
        "ZXX|" + "^" * shift + f"{text}^{text}&{text}^{text}^{text}^{text}^{text}^{text}^{text}"
    )
    value: Value = made.message.segments[1].value(1)
    found = {
        "name": contact.human_name(made, value),
        "address": contact.address(made, value),
        "telecom": contact.contact_point(made, value),
    }
    patient = {"resourceType": "Patient", **{name: [each] for name, each in found.items() if each}}
    assert faults(patient) == []
