"""Every file of the corpus gets the answer it deserves; those whose studies are taken become valid resources."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path

import pytest

from importers.dicom import digest
from importers.dicom.dataset import read
from importers.dicom.header import Header, NotDicom, Refused
from tests.importers.dicom.making import CORPUS, corpus, of_type, study

NO_DICOM = {
    "generated/truncated_0.dcm",
    "generated/truncated_100.dcm",
    "generated/text_named.dcm",
    "generated/pdf_named.dcm",
    "files/no_meta.dcm",  # begins with a byte too many
}
REFUSED = {
    0x0122: {
        "files/dicomdirtests__DICOMDIR",
        "files/dicomdirtests__DICOMDIR-empty.dcm",
        "generated/mpps_ncreate.dcm",
        "generated/mpps_nset.dcm",
    },
    0xA900: {
        "files/fodicom_GH220.dcm",
        "files/fodicom_GH223.dcm",
        "files/dwv_data__dwv-test-sequence.dcm",
        "files/orthanc_Issue196.dcm",
        "files/charset_files__chrSQEncoding.dcm",
        "files/no_meta_group_length.dcm",
        "files/meta_missing_tsyntax.dcm",
        "files/UN_sequence.dcm",
        "files/nested_priv_SQ.dcm",
        "files/empty_charset_LEI.dcm",
        "generated/no_study_uid.dcm",
        "generated/empty_sop_uid.dcm",
        "generated/truncated_132.dcm",
        "generated/deflate_bomb.dcm",
        "generated/mwl_wklist1.dcm",
        "generated/mwl_wklist2.dcm",
    },
    0xC000: {
        "files/bad_sequence.dcm",  # its UIDs are hashes
        "files/dcm4che_3gb-bulk-data-truncated",  # its UIDs are words
        "generated/uid_too_long.dcm",
        "generated/uid_letters.dcm",
        "generated/truncated_140.dcm",
        "generated/truncated_300.dcm",
        "generated/truncated_1500.dcm",
        "generated/bytes_ff_700_760.dcm",
        "generated/pn_length_overrun.dcm",
        "generated/nested_sq_200.dcm",
    },
}
STATUSES = {name: status for status, names in REFUSED.items() for name in names}
SECRETS = ("SECRET", "HIV free text")


def listed() -> list[str]:
    path = CORPUS / "MANIFEST.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        names = [row["file"] for row in csv.DictReader(file)]
    return [name for name in names if name.startswith(("files/", "generated/"))]


def taken() -> list[Header]:
    corpus("MANIFEST.csv")
    return [one(CORPUS / name) for name in listed() if name not in STATUSES and name not in NO_DICOM]


def one(path: Path) -> Header:
    with path.open("rb") as stream:
        return read(stream)


@pytest.mark.parametrize("name", listed() or [pytest.param("", marks=pytest.mark.skip("There is no corpus"))])
def test_every_file(name: str) -> None:
    path = corpus(name)
    if name in NO_DICOM:
        with pytest.raises(NotDicom):
            one(path)
    elif name in STATUSES:
        with pytest.raises(Refused) as caught:
            one(path)
        assert caught.value.status == STATUSES[name]
    else:
        assert one(path).study_uid


def test_every_study_becomes_valid_resources() -> None:
    studies = defaultdict(list)
    for header in taken():
        studies[header.study_uid].append(header)
    assert len(studies) > 70
    for headers in studies.values():
        made = study(*headers)
        told = json.dumps([draft.resource for draft in made.drafts], default=str) + repr(made.issues)
        assert not any(secret in told for secret in SECRETS)


def test_one_instance_however_it_is_encoded() -> None:
    names = ("", "_implicit", "_bigendian", "_RLE", "_padded", "_jp2klossless")
    headers = [one(corpus(f"files/MR_small{name}.dcm")) for name in names]
    assert len({each.sop_uid for each in headers}) == 1
    plain = {digest.digest(each.values) for each in headers[:4]}
    assert len(plain) == 1


def test_a_number_in_two_hospitals_is_two_patients() -> None:
    headers = [one(corpus(f"files/orthanc_PatientIdsCollision__Image{number}.dcm")) for number in (1, 2, 3)]
    assert {each.values["PatientID"] for each in headers} == {"COMMON"}
    assert len({each.study_uid for each in headers}) == 3


def test_the_rich_header() -> None:
    names = (
        "rich_header_ct",
        "rich_instance2_conflicting_study_attrs",
        "rich_second_series_negative_numbers",
    )
    made = study(*(one(corpus(f"generated/{name}.dcm")) for name in names))
    found = made.drafts[0].resource
    assert found["started"] == "2024-02-29T10:15:30.123456+05:30"
    assert found["description"] == "CT Thorax nativ"
    assert [each["value"] for each in found["identifier"]] == ["urn:oid:2.25.771001", "A771001"]
    assert [each["identifier"]["value"] for each in found["basedOn"]] == ["A771001"]
    assert [each.get("number") for each in found["series"]] == [None, 1]
    [patient] = of_type(made, "Patient")
    assert [each["family"] for each in patient["name"]] == ["Yamada", "山田", "やまだ"]
    assert patient["identifier"][0]["system"] == "urn:oid:1.2.276.0.76.3.1.99"
    assert of_type(made, "Device")[0]["version"] == [{"value": "VA1"}, {"value": "VB2"}]
