from __future__ import annotations

import pytest

from importers.dicom.header import Issue
from importers.dicom.names import REPRESENTATION, human_names, shown


def test_groups_are_names_of_their_own() -> None:
    told = {"alphabetic": "Yamada^Tarou", "ideographic": "山田^太郎", "phonetic": "やまだ^たろう"}
    found = human_names(told, "PatientName", [])
    assert [(each["family"], each["given"], each["text"]) for each in found] == [
        ("Yamada", ["Tarou"], "Tarou Yamada"),
        ("山田", ["太郎"], "山田 太郎"),
        ("やまだ", ["たろう"], "やまだ たろう"),
    ]
    assert [each["extension"] for each in found] == [
        [{"url": REPRESENTATION, "valueCode": code}] for code in ("ABC", "IDE", "SYL")
    ]
    assert shown(told) == "Tarou Yamada"
    assert shown({"ideographic": "山田^太郎"}) == "山田 太郎"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Adams^John Robert Quincy^M^Rev.^B.A. M.Div.",
            {
                "use": "usual",
                "text": "Rev. John Robert Quincy M Adams B.A. M.Div.",
                "family": "Adams",
                "given": ["John Robert Quincy", "M"],
                "prefix": ["Rev."],
                "suffix": ["B.A. M.Div."],
            },
        ),
        ("John Smith", {"use": "usual", "text": "John Smith", "family": "John Smith"}),
        ("^Anna", {"use": "usual", "text": "Anna", "given": ["Anna"]}),
        ("  Doe ^ Jane  ", {"use": "usual", "text": "Jane Doe", "family": "Doe", "given": ["Jane"]}),
    ],
)
def test_components(text: str, expected: dict[str, object]) -> None:
    assert human_names({"alphabetic": text}, "PatientName", []) == [expected]


def test_too_many_components() -> None:
    issues: list[Issue] = []
    found = human_names({"alphabetic": "a^b^c^d^e^f^g"}, "PatientName", issues)
    assert found[0]["suffix"] == ["e"]
    assert [issue.keyword for issue in issues] == ["PatientName"]


def test_nothing_but_delimiters() -> None:
    assert human_names({"alphabetic": "^^"}, "PatientName", []) == []
    assert shown({}) == ""
