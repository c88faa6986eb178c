from __future__ import annotations

import io
import logging
import tempfile
import threading
import tracemalloc
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pydicom.data
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.uid import DeflatedExplicitVRLittleEndian

from importers.dicom import digest
from importers.dicom.dataset import Limits, read
from importers.dicom.header import Header, NotDicom, Refused
from tests.importers.dicom.making import BIG, EXPLICIT, IMPLICIT, dataset, file, header, item, keywords

GOOD = file(
    dataset(
        StudyDescription="Thorax",
        IssuerOfAccessionNumberSequence=[item(LocalNamespaceEntityID="RIS", UniversalEntityID="1.2.9")],
        NumberOfFrames=1,
    )
)


def bare(body: bytes) -> bytes:
    """The data set of a file without what is before it."""
    return body[body.index(b"\x08\x00\x16\x00") :]


def refused(body: bytes, **more: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        read(io.BytesIO(body), **more)
    return caught.value


# What is read


@pytest.mark.parametrize("transfer_syntax", [EXPLICIT, IMPLICIT, BIG, DeflatedExplicitVRLittleEndian])
def test_any_transfer_syntax(transfer_syntax: str) -> None:
    made = dataset(
        StudyDescription="Thorax",
        SpecificCharacterSet="ISO_IR 192",
        PatientName="Yamada^Tarou=山田^太郎",
        ProcedureCodeSequence=[item(CodeValue="1", CodingSchemeDesignator="LN", CodeMeaning="CT")],
    )
    found = read(io.BytesIO(file(made, transfer_syntax)))
    assert found.transfer_syntax == transfer_syntax
    assert found.values["PatientName"] == {"alphabetic": "Yamada^Tarou", "ideographic": "山田^太郎"}
    assert found.values["ProcedureCodeSequence"] == [
        {"CodeValue": "1", "CodingSchemeDesignator": "LN", "CodeMeaning": "CT"}
    ]
    assert found.complete
    assert found.issues == ()


def test_a_bare_data_set_as_c_store_has_it() -> None:
    found = read(io.BytesIO(bare(GOOD)), transfer_syntax=EXPLICIT)
    assert found.values == read(io.BytesIO(GOOD)).values
    assert read(io.BytesIO(bare(file(dataset(), IMPLICIT))), transfer_syntax=IMPLICIT).sop_uid == "1.2.3.4.5"
    assert read(io.BytesIO(bare(GOOD))).sop_uid == "1.2.3.4.5"  # nobody says how it is written


def test_what_the_file_says_of_itself_may_be_wrong() -> None:
    for told, is_ in ((BIG, EXPLICIT), (IMPLICIT, EXPLICIT), (EXPLICIT, IMPLICIT)):
        body = bare(file(dataset(), is_))
        assert read(io.BytesIO(body), transfer_syntax=told).study_uid == "1.2.3"


def test_only_what_is_wanted_is_read() -> None:
    made = dataset(PatientComments="HIV free text", PatientAddress="Secret Street 1")
    made.private_block(0x0009, "ACME", create=True).add_new(0x01, "LO", "SECRET")
    made.ProcedureCodeSequence = [item(CodeValue="1", CodingSchemeDesignator="LN", PatientComments="HIV")]
    found = read(io.BytesIO(file(made)))
    assert "HIV" not in repr(found)
    assert "SECRET" not in repr(found).upper()


SHIPPED = Path(pydicom.data.__file__).parent / "test_files"
"""The files that pydicom brings along"""


def test_headers_of_pydicoms_own_files() -> None:
    found: dict[str, Header | Exception] = {}
    for path in sorted(SHIPPED.rglob("*")):
        if path.is_file():
            with path.open("rb") as stream:
                try:
                    found[path.name] = read(stream)
                except (NotDicom, Refused) as no:
                    found[path.name] = no
    assert len(found) > 50
    ct = found["CT_small.dcm"]
    assert isinstance(ct, Header)
    assert ct.values["PatientName"] == {"alphabetic": "CompressedSamples^CT1"}
    mr = [
        digest.digest(each.values)
        for name in ("MR_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "MR_small_RLE.dcm")
        if isinstance(each := found[name], Header)
    ]
    assert len(mr) == 4
    assert len(set(mr)) == 1, "one instance, however it is written"
    assert isinstance(found["image_dfl.dcm"], Header)
    assert isinstance(found["rtstruct.dcm"], Header)  # neither preamble nor meta information


@pytest.mark.parametrize(
    ("name", "alphabetic", "ideographic"),
    [
        ("chrH31", "Yamada^Tarou", "山田^太郎"),
        ("chrI2", "Hong^Gildong", "洪^吉洞"),
        ("chrX1", "Wang^XiaoDong", "王^小東"),
        ("chrX2", "Wang^XiaoDong", "王^小东"),
        ("chrGerm", "Äneas^Rüdiger", None),
        ("chrFrenMulti", "Buc^Jérôme", None),
        ("chrGreek", "Διονυσιος", None),
        ("chrKoreanMulti", "김희중", None),
    ],
)
def test_names_in_any_script(name: str, alphabetic: str, ideographic: str | None) -> None:
    with (SHIPPED.parent / "charset_files" / f"{name}.dcm").open("rb") as stream:
        told = read(stream).values["PatientName"]
    assert told["alphabetic"] == alphabetic
    assert told.get("ideographic") == ideographic


# What is refused


def test_a_directory_is_no_instance() -> None:
    path = next(SHIPPED.rglob("DICOMDIR"))
    with path.open("rb") as stream, pytest.raises(Refused, match="DICOMDIR") as caught:
        read(stream)
    assert caught.value.status == 0x0122


def test_cut_anywhere_in_the_header_it_is_refused() -> None:
    end = GOOD.index(b"\xe0\x7f\x10\x00OW")
    whole = read(io.BytesIO(GOOD))
    for cut in range(end):
        try:
            found = read(io.BytesIO(GOOD[:cut]))
        except (NotDicom, Refused):
            continue
        # between two elements nobody can see it, but for the image that is missing
        assert not found.complete
        assert "PixelData" in keywords(found)
        assert found.values.items() <= whole.values.items()


def test_cut_in_the_pixels_it_is_read() -> None:
    assert read(io.BytesIO(GOOD[:-1])).complete


@given(st.integers(132, len(GOOD) - 1), st.binary(min_size=1, max_size=12))
@settings(max_examples=400)
def test_whatever_is_changed_there_is_a_header_or_a_reason(place: int, garbage: bytes) -> None:
    body = GOOD[:place] + garbage + GOOD[place + len(garbage) :]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = read(io.BytesIO(body))
        except (NotDicom, Refused):
            return
    assert found.study_uid
    assert found.sop_uid


@given(st.binary(max_size=400))
def test_garbage_as_a_data_set(body: bytes) -> None:
    for syntax in (None, EXPLICIT, IMPLICIT, BIG, DeflatedExplicitVRLittleEndian):
        with pytest.raises((NotDicom, Refused)):
            read(io.BytesIO(body), transfer_syntax=syntax)


@pytest.mark.parametrize("length", [0, 1, 7, 0x7FFF, 0xFFFE])
def test_lengths_that_are_wrong(length: int) -> None:
    place = GOOD.index(b"\x10\x00\x10\x00PN") + 6
    body = GOOD[:place] + length.to_bytes(2, "little") + GOOD[place + 2 :]
    try:
        found = read(io.BytesIO(body))
    except Refused as no:
        assert no.status in (0xC000, 0xA900)  # noqa: PT017  either it is refused, or it is read as it is
    else:
        assert "Muster^Erika" not in repr(found.values) or length >= 12


def _nested(depth: int) -> bytes:
    sequence = b"\x08\x00\x32\x10SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    return bare(GOOD)[:8] + bare(GOOD)[8:34] + sequence * depth


@pytest.mark.parametrize("depth", [50, 200, 1000, 100_000])
def test_sequences_without_end(depth: int) -> None:
    body = _nested(depth)
    assert refused(body, transfer_syntax=EXPLICIT).status == 0xC000


def test_an_undefined_length_that_never_ends() -> None:
    body = bare(GOOD)[:34] + b"\x09\x00\x10\x00UN\0\0\xff\xff\xff\xff" + bytes(100_000)
    assert refused(body, transfer_syntax=EXPLICIT).status in (0xC000, 0xA900)


def test_a_length_beyond_the_file_is_not_believed() -> None:
    body = bare(GOOD)[:34] + b"\x08\x00\x81\x10UT\0\0\x00\x00\x00\xc0" + b"short"
    tracemalloc.start()
    assert refused(body, transfer_syntax=EXPLICIT).status == 0xC000
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


# What it costs


def test_a_large_file_costs_little() -> None:
    """200 MB of pixels, and of something private before them, sparse on disk."""
    made = bare(file(dataset(), pixels=False))
    private = b"\x09\x00\x10\x10OB\0\0" + (200_000_000).to_bytes(4, "little")
    first = made.index(b"\x10\x00\x10\x00PN")
    with tempfile.TemporaryFile() as stream:
        stream.write(made[:first] + private)
        stream.seek(200_000_000, io.SEEK_CUR)
        stream.write(made[first:] + b"\xe0\x7f\x10\x00OW\0\0" + (200_000_000).to_bytes(4, "little"))
        stream.seek(200_000_000, io.SEEK_CUR)
        stream.write(b"\0")
        tracemalloc.start()
        found = read(stream, transfer_syntax=EXPLICIT)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert found.values["PatientID"] == "4711"
    assert peak < 2_000_000


def test_what_is_read_of_a_large_file_is_bounded() -> None:
    made = dataset()
    made.add_new(0x00401002, "UT", "x" * 10_000)
    body = file(made, pixels=False) + bytes(40_000)
    assert refused(body, limits=Limits(header_bytes=5_000)).status == 0xC000


def test_a_bomb_is_not_set_off() -> None:
    made = dataset()
    made.add_new(0x00091010, "OB", bytes(60_000_000))
    made.add_new(0x00090010, "LO", "ACME")
    body = file(made, DeflatedExplicitVRLittleEndian)
    assert len(body) < 100_000
    tracemalloc.start()
    found = refused(body, limits=Limits(header_bytes=1_000_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.status in (0xC000, 0xA900)
    assert peak < 8_000_000


def test_a_deflated_file_that_is_damaged() -> None:
    body = file(dataset(), DeflatedExplicitVRLittleEndian)
    assert refused(body[:-20]).status == 0xC000
    start = len(body) - 60
    assert refused(body[:start] + b"\xff" * 60).status == 0xC000


def test_a_deflated_image_larger_than_the_limit_has_a_header() -> None:
    made = dataset()
    made.add_new(0x7FE00010, "OW", bytes(3_000_000))
    made.BitsAllocated = 16
    body = file(made, DeflatedExplicitVRLittleEndian)
    found = read(io.BytesIO(body), Limits(header_bytes=1_000_000))
    assert found.sop_uid == "1.2.3.4.5"
    assert found.complete
    assert zlib.crc32(body)


# What is told


def test_values_with_faults_are_told_by_keyword_and_not_by_value() -> None:
    body = file(dataset(InstanceNumber=1, SpecificCharacterSet="ISO_IR 100"))
    body = body.replace(b"IS\x02\x001 ", b"IS\x02\x001A").replace(b"ISO_IR 100", b"KLINGONISH")
    found = read(io.BytesIO(body))
    assert set(keywords(found)) == {"InstanceNumber", "SpecificCharacterSet"}
    assert "1A" not in repr(found.issues)
    assert "KLINGON" not in repr(found.issues)


def test_nothing_of_a_file_is_logged_or_warned_of(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    body = file(dataset(SpecificCharacterSet="ISO_IR 100", StudyDate="20240101"))
    body = body.replace(b"20240101", b"SECRET!!").replace(b"ISO_IR 100", b"SECRET_SET")
    with caplog.at_level(logging.DEBUG), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        read(io.BytesIO(body))
    assert "SECRET" not in caplog.text + capsys.readouterr().err + "".join(str(each.message) for each in told)


def test_an_image_without_pixels_is_not_complete() -> None:
    found = read(io.BytesIO(file(dataset(), pixels=False)))
    assert not found.complete
    assert keywords(found) == ["PixelData"]
    document = dataset(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.33")
    assert read(io.BytesIO(file(document, pixels=False))).complete


def test_many_readers_at_once() -> None:
    barrier = threading.Barrier(8)

    def one(_: int) -> str:
        barrier.wait()
        return [read(io.BytesIO(GOOD)).sop_uid for _ in range(50)][-1]

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(one, range(8))) == {"1.2.3.4.5"}


def test_header_is_what_the_other_tests_use() -> None:
    assert header(StudyDescription="Thorax").values["StudyDescription"] == "Thorax"
