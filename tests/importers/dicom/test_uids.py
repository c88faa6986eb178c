from __future__ import annotations

import pytest

from importers.dicom import uids


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.2.840.10008.5.1.4.1.1.2", True),
        ("2.25." + "9" * 39, True),
        ("1" * 64, True),
        ("1" * 65, False),
        ("1.02.3", True),
        ("", False),
        (".1", False),
        ("1.", False),
        ("1..2", False),
        ("1.2a", False),
        ("1.2\n", False),
        ("1.٣", False),
    ],
)
def test_what_is_a_uid(text: str, expected: bool) -> None:
    assert uids.is_uid(text) is expected


def test_zeros_at_the_beginning() -> None:
    assert uids.has_leading_zero("1.02.3")
    assert uids.has_leading_zero("01.2")
    assert not uids.has_leading_zero("1.0.3")
    assert not uids.has_leading_zero("1.20.0")


@pytest.mark.parametrize(
    ("sop_class", "stored"),
    [
        ("1.2.840.10008.5.1.4.1.1.2", True),
        ("1.3.46.670589.5.0.1.1", True),
        ("1.2.840.10008.3.1.2.3.3", False),
        ("1.2.840.10008.5.1.4.31", False),
        ("1.2.840.10008.1.1", False),
        (uids.DIRECTORY, False),
    ],
)
def test_what_is_stored(sop_class: str, stored: bool) -> None:
    assert uids.is_stored(sop_class) is stored


@pytest.mark.parametrize(
    ("last", "pixels"),
    [
        ("2", True),
        ("6.1", True),
        ("66.4", True),
        ("77.1.6", True),
        ("481.1", True),
        ("481.2", False),
        ("9.1.1", False),
        ("88.33", False),
        ("104.1", False),
        ("11.1", False),
        ("66", False),
        ("12.1", True),
    ],
)
def test_which_classes_end_with_an_image(last: str, pixels: bool) -> None:
    assert uids.has_pixels(f"1.2.840.10008.5.1.4.1.1.{last}") is pixels


def test_of_private_classes_nobody_knows() -> None:
    assert not uids.has_pixels("1.3.46.670589.5.0.1.1")
